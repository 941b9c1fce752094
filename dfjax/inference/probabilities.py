"""From a detector's logits to calibrated ones, and to probabilities: the same for all who score."""

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
    # Written with tanh: the bits that were published before scipy's expit, half of whose results
    # differ from these by the last one.
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))
