"""The networks, in flax.nnx: a ResNet per frame, an LSTM over frames, and their file formats."""
