"""The engine for runtimes other than JAX: the two halves of a detector as ONNX graphs."""

import os
from collections.abc import Mapping
from typing import Self

import numpy as np

from dfjax.config import Config
from dfjax.inference.engine import check_crops
from dfjax.models import pretrained
from dfjax.models.fingerprint import fingerprint_of
from dfjax.models.graphs.detector import (
    count_features,
    encoder_graph,
    encoder_parts,
    temporal_graph,
    variables,
)
from dfjax.models.locate import find_folder
from dfjax.models.output import DetectorOutput
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.runtime import Runtime

CROPS_AT_ONCE = 8
"""Batch size of the encoder, in face crops. Larger ones are no faster on a CPU."""


class GraphEngine:
    """Runs a published detector in a runtime, without importing jax; see `Engine`.

    The graphs are written in memory from the model's own files whenever it is loaded. That takes
    less time than the runtime needs to prepare them, so a copy on disk would only be one more thing
    that can be out of date.
    """

    def __init__(
        self, config: Config, tensors: Mapping[str, np.ndarray], runtime: Runtime, *, where: str
    ):
        """Writes the graphs and prepares them.

        Args:
          config: The model's.
          tensors: The model's, as `pretrained.read_detector_tensors` returns them.
          runtime: What runs them.
          where: Location of the model, for error messages.

        Raises:
          ModelFormatError: The tensors do not fit the config, or no graph is known for its encoder.
        """
        self.config = config
        self.crops_per_batch = CROPS_AT_ONCE
        self.clips_per_batch = 1
        table = TensorTable(tensors, where=where)
        # In one part where nothing is rounded: the runtime need not hand over in between.
        start, *end = (
            encoder_parts(config, table) if runtime.rounds else [encoder_graph(config, table)]
        )
        temporal = temporal_graph(config, table)
        table.finish()
        self._digest = fingerprint_of(variables(config, tensors), config)
        self._encoder = [
            runtime.load(start),
            *(runtime.load(part, may_round=True) for part in end),
        ]
        self._score = runtime.load(temporal)

    @classmethod
    def from_pretrained(
        cls,
        folder_or_repo_id: str | os.PathLike[str],
        runtime: Runtime,
        *,
        revision: str | None = None,
    ) -> Self:
        """Loads a model from a folder or a repository on the Hugging Face Hub.

        Args:
          folder_or_repo_id: A folder written by `save_pretrained`, or "owner/name" on the Hub.
          runtime: What runs it.
          revision: Branch, tag or commit on the Hub; None: its main branch.

        Raises:
          ModelFormatError: It is not a model that this version of dfjax can load, or no graph is
            known for its encoder.
          HubError: The Hub does not have it, denies access to it, or cannot be reached.
        """
        folder = find_folder(folder_or_repo_id, revision=revision)
        config = pretrained.read_config(folder)
        tensors = pretrained.read_detector_tensors(folder)
        return cls(config, tensors, runtime, where=str(folder_or_repo_id))

    def digest(self) -> str:
        """Returns the fingerprint; see `Engine.digest`."""
        return self._digest

    def encode(self, crops: np.ndarray) -> np.ndarray:
        """Returns float32 [N,C]; see `Engine.encode`."""
        check_crops(crops, self.config)
        parts = range(0, len(crops), self.crops_per_batch)
        return np.concatenate(
            [self._encode_batch(crops[n : n + self.crops_per_batch]) for n in parts]
        )

    def _encode_batch(self, crops: np.ndarray) -> np.ndarray:
        values = crops
        for network in self._encoder:
            (values,) = network(values)
        return values

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> DetectorOutput:
        """Returns the logits as numpy arrays; see `Engine.score`."""
        needed = (*frame_mask.shape, count_features(self.config))
        if features.shape != needed or frame_mask.ndim != 2 or not frame_mask.size:
            found = f"{list(features.shape)} and frame_mask {list(frame_mask.shape)}"
            raise ValueError(
                f"features has shape {found}; [B,T,{needed[-1]}] and [B,T] are needed, B and T at "
                "least 1."
            )
        if frame_mask.dtype != bool:
            raise ValueError(
                f"frame_mask is {frame_mask.dtype}; bool is needed, True where the frame is there."
            )
        # ONNX Runtime takes no other kind of number than the graph says, unlike JAX.
        return DetectorOutput(*self._score(features.astype(np.float32, copy=False), frame_mask))
