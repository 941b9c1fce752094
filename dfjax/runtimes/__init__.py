"""What can run the networks besides JAX: ONNX graphs, ONNX Runtime and OpenVINO. Without jax."""
