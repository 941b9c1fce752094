"""Scores face crops: an engine per runtime, and the calibration of what it gives.

Nothing here but `jax_engine` imports jax.
"""
