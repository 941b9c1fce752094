"""Augmentation of training clips on the accelerator: blends, camera and codec effects."""
