"""Compares an exported model with the one that it was made of, on clips with absent frames."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import numpy as np
from flax import nnx

from dfjax.compiler_options import in_float32
from dfjax.errors import ExportError
from dfjax.export.describe import calibrations
from dfjax.faces.mtcnn import load_networks
from dfjax.inference.probabilities import probabilities
from dfjax.models.detector import Detector

OUTPUTS: tuple[str, ...] = (
    *("probability_fake", "frame_probabilities"),
    *("frame_logits", "clip_logits"),
)
"""What an exported detector returns, in this order."""

MTCNN: tuple[str, ...] = ("pnet", "rnet", "onet")
"""The names of MTCNN's networks."""

Run = Callable[..., tuple[np.ndarray, ...]]

_ABSENT = 1  # a frame of the first clip
_MOST_PROBABILITY = {"float32": 1e-3, "bfloat16": 2e-2}  # by the type that the model computes in
_MOST_OFFSET = 1e-3  # in shares of a box


class Reference:
    """What a model and MTCNN compute in JAX for a few pictures.

    Exported files compute in float32 on any device, but for what a model itself rounds to bfloat16;
    so does this.
    """

    def __init__(self, detector: Detector):
        """Computes it.

        Args:
          detector: What is exported. If the files round nothing, it must not either; see
            `without_rounding`.
        """
        rng = np.random.default_rng(0)
        size = detector.config.crops.image_size
        self._clips = rng.integers(0, 256, (2, 5, size, size, 3), np.uint8)
        self._frame_mask = np.ones((2, 5), bool)
        self._frame_mask[0, _ABSENT] = self._frame_mask[1, -1] = False
        graph, state = nnx.split(detector)
        run = in_float32(lambda *inputs: nnx.merge(graph, state)(*inputs))
        output = jax.jit(run)(self._clips, self._frame_mask)
        self._of_clips, self._of_frames = (
            probabilities(scale * np.asarray(logits, np.float64) + bias)
            for logits, (scale, bias) in zip(
                (output.clip_logits, output.frame_logits),
                calibrations(detector).values(),
                strict=True,
            )
        )
        self._limit = _MOST_PROBABILITY[detector.config.encoder.compute_dtype]
        shapes = {"pnet": (2, 30, 38, 3), "rnet": (3, 24, 24, 3), "onet": (3, 48, 48, 3)}
        self._pictures = {
            name: rng.integers(0, 256, shape, np.uint8) for name, shape in shapes.items()
        }
        self._scores = {}
        for name, network in zip(MTCNN, load_networks(), strict=True):
            of_mtcnn = jax.jit(in_float32(network.__call__))(self._pictures[name])
            self._scores[name] = [np.asarray(part) for part in of_mtcnn]

    def compare(self, detector: Run, networks: Mapping[str, Run], where: str) -> float:
        """Returns by how much probabilities differ from those in JAX, at most.

        Args:
          detector: Runs the exported detector: takes clips and masks, returns `OUTPUTS`.
          networks: Run the networks of MTCNN, by their names.
          where: Names the export and what runs it, for the error.

        Raises:
          ExportError: Something differs by more than rounding.
        """
        of_clips, of_frames, *_ = detector(self._clips, self._frame_mask)
        # Without its absent frame, the first clip is the same, but of another length.
        present = self._frame_mask[:1, self._frame_mask[0]]
        of_clip, _, *_ = detector(self._clips[:1, self._frame_mask[0]], present)
        largest = max(
            float(np.abs(a - b).max())
            for a, b in (
                (of_clips, self._of_clips),
                (of_frames, self._of_frames),
                (of_clip, self._of_clips[:1]),
            )
        )
        _require(largest, self._limit, where)
        for name, network in networks.items():
            found = network(self._pictures[name])
            for a, b in zip(found, self._scores[name], strict=True):
                _require(float(np.abs(a - b).max()), _MOST_OFFSET, f"{name} of {where}")
        return largest


def without_rounding(detector: Detector) -> Detector:
    """Returns a detector that computes all of a model in float32, as ONNX files do."""
    encoder = dataclasses.replace(detector.config.encoder, compute_dtype="float32")
    config = dataclasses.replace(detector.config, encoder=encoder)
    if config == detector.config:
        return detector
    shapes = nnx.eval_shape(lambda: Detector(config, rngs=nnx.Rngs(0)))
    return nnx.merge(nnx.graphdef(shapes), nnx.state(detector))


def _require(difference: float, limit: float, where: str) -> None:
    if not difference <= limit:  # nor NaN
        raise ExportError(
            f"{where} differs from the model in JAX by {difference:.2g}; up to {limit:g} can be "
            "rounding. Nothing was written; report it with the versions of the packages."
        )
