"""A detector as ONNX graphs, written from the table of its tensors. Does not import jax.

The networks are defined by the modules of `dfjax.models`; the graphs here compute the same. They
use only operators that ONNX Runtime, also in browsers, and OpenVINO have in common.
"""
