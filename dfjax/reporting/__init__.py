"""Evaluation reports, model cards and their plots."""
