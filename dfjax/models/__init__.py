"""The networks, in flax.nnx: ResNet per frame, LSTM over frames, and the files they live in."""
