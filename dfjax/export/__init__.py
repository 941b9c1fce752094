"""Exports of a published model for programs without dfjax: ONNX, and StableHLO through JAX."""
