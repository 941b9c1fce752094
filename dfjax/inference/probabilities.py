"""Calibrates a detector's logits and turns them into probabilities, in the same way everywhere."""

from typing import TypeVar

import numpy as np

from dfjax.config import CalibrationConfig

LogitsT = TypeVar("LogitsT", float, np.ndarray)


def calibrated_clip_logits(logits: LogitsT, calibration: CalibrationConfig) -> LogitsT:
    """Returns the calibrated logits of clips: `scale * logit + bias`."""
    return calibration.scale * logits + calibration.bias


def calibrated_frame_logits(logits: LogitsT, calibration: CalibrationConfig) -> LogitsT:
    """Returns the calibrated logits of frames, which have their own scale and bias."""
    return calibration.frame_scale * logits + calibration.frame_bias


def probabilities(logits: np.ndarray | float) -> np.ndarray:
    """Returns the logistic function of calibrated logits: `probability_fake`, float64."""
    # Written with tanh to match published results to the bit: half of the results of scipy's expit
    # differ from these in the last bit.
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))
