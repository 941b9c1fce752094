"""Scores face crops: one engine per runtime, and the calibration of its logits.

Only `jax_engine` imports jax.
"""
