"""Measures and calibration of scores."""
