"""Metrics for detector scores, and their calibration."""
