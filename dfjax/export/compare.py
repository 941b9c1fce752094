"""Compares an exported model with the one that it was made of, on clips with absent frames."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from dfjax.errors import ExportError
from dfjax.export.describe import calibrations
from dfjax.faces.mtcnn import load_networks
from dfjax.inference.probabilities import probabilities
from dfjax.models.detector import Detector

OUTPUTS: tuple[str, ...] = (
    "probability_fake",
    "frame_probabilities",
    "frame_logits",
    "clip_logits",
)
"""What an exported detector returns, in this order."""

MTCNN = {"pnet": "sheets", "rnet": "crops", "onet": "crops"}
"""The names of MTCNN's networks, and those of their inputs."""

Run = Callable[..., tuple[np.ndarray, ...]]

_SHAPES = ((2, 5), (1, 3))  # clips and frames; two, since both numbers are free
_MOST_PROBABILITY = {"float32": 1e-3, "bfloat16": 2e-2}  # by the type that the model computes in
_MOST_OFFSET = 1e-3  # in shares of a box


def compare_detector(run: Run, detector: Detector, where: str) -> float:
    """Returns by how much probabilities differ from those in JAX, at most.

    Args:
      run: Runs the exported detector: takes clips and masks, returns `OUTPUTS`.
      detector: What was exported.
      where: Names the export and what runs it, for the error.

    Raises:
      ExportError: They differ by more than rounding.
    """
    rng = np.random.default_rng(0)
    size, scales = detector.config.crops.image_size, calibrations(detector)
    differences = []
    for num_clips, num_frames in _SHAPES:
        clips = rng.integers(0, 256, (num_clips, num_frames, size, size, 3), np.uint8)
        frame_mask = np.ones((num_clips, num_frames), bool)
        frame_mask[0, 1] = frame_mask[-1, -1] = False
        expected = detector(clips, frame_mask)
        found = dict(zip(OUTPUTS, run(clips, frame_mask), strict=True))
        for name, logits, kind in (
            ("probability_fake", expected.clip_logits, "clips"),
            ("frame_probabilities", expected.frame_logits, "frames"),
        ):
            scale, bias = scales[kind]
            wanted = probabilities(scale * np.asarray(logits, np.float64) + bias)
            differences.append(np.abs(found[name] - wanted).max())
    return _checked(differences, _MOST_PROBABILITY[detector.config.encoder.compute_dtype], where)


def compare_mtcnn(runs: Mapping[str, Run], where: str) -> float:
    """Returns by how much the outputs of MTCNN's networks differ from those in JAX, at most.

    Args:
      runs: Run the exported networks, by their names in `MTCNN`.
      where: Names the export and what runs it, for the error.

    Raises:
      ExportError: They differ by more than rounding.
    """
    rng = np.random.default_rng(0)
    shapes = {"pnet": ((1, 40, 52), (2, 30, 38)), "rnet": ((3, 24, 24),), "onet": ((3, 48, 48),)}
    differences = []
    for name, network in zip(MTCNN, load_networks(), strict=True):
        for shape in shapes[name]:
            pictures = rng.integers(0, 256, (*shape, 3), np.uint8)
            expected = jax.jit(network.__call__)(pictures)
            for a, b in zip(runs[name](pictures), expected, strict=True):
                differences.append(np.abs(a - np.asarray(b)).max())
    return _checked(differences, _MOST_OFFSET, where)


def _checked(differences: list[float], limit: float, where: str) -> float:
    largest = float(np.max(differences))
    if not largest <= limit:  # nor NaN
        raise ExportError(
            f"{where} differs from the model in JAX by {largest:.2g}; at most {limit:g} is "
            "rounding. Do not use the files; report it with the versions of the packages."
        )
    return largest
