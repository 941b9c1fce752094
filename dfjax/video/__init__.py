"""Video files and pictures: what they hold, frames out of them, and writing them again. No jax."""
