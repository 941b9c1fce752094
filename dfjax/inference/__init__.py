"""Scores face crops: one engine per kind of runtime, and the calibration of its logits.

Only `jax_engine` imports jax.
"""
