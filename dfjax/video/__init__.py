"""Video files and pictures: probing them, reading frames, and re-encoding. Does not use jax."""
