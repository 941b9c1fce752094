"""Writes a model as StableHLO, for JAX without dfjax and for others that run it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import export

from dfjax.export.compare import MTCNN, OUTPUTS, Reference, Run
from dfjax.export.describe import calibrations, description
from dfjax.extras import require_extra
from dfjax.faces.mtcnn import load_networks
from dfjax.files import written_together
from dfjax.json_values import dumps
from dfjax.models.detector import Detector
from dfjax.models.locate import find_folder, model_name

PLATFORMS = ("cpu", "cuda", "tpu")

METADATA_FILE = "detector.json"

STABLEHLO_FILES = ("detector.stablehlo", *(f"{name}.stablehlo" for name in MTCNN), METADATA_FILE)
"""The files that are written. `jax.export` has no place for metadata, so they have their own."""


def export_stablehlo(
    model: str, out: Path, *, revision: str | None = None, name: str | None = None
) -> dict[str, float]:
    """Writes the detector and MTCNN's three networks, and compares them with the model.

    Args:
      model: A folder, or "owner/name" on the Hub.
      out: The folder to write to. What is in it stays as it is until the new files are checked.
      revision: Branch, tag or commit on the Hub; None: its main branch.
      name: What the files call the model; None: by the name of its folder or repository.

    Returns:
      By how much probabilities differ from the model's, as "stablehlo".

    Raises:
      ExportError: A file does not compute what it should.
      HubError: The Hub does not have the model, denies access to it, or cannot be reached.
      MissingExtraError: What `jax.export` needs is not installed.
      ModelFormatError: It is not a model of dfjax.
    """
    require_extra("stablehlo", "An export to StableHLO")
    folder = find_folder(model, revision=revision)
    detector = Detector.from_pretrained(folder)
    metadata = description(detector, name or model_name(model))
    contents = (_export_detector(detector), *_export_mtcnn())
    with written_together(out, STABLEHLO_FILES) as unfinished:
        for file, content in zip(STABLEHLO_FILES, contents, strict=False):
            (unfinished / file).write_bytes(content)
        (unfinished / METADATA_FILE).write_text(dumps(metadata), encoding="utf-8")
        whole, *of_mtcnn = (_load(unfinished / file) for file in STABLEHLO_FILES[:-1])
        networks = dict(zip(MTCNN, of_mtcnn, strict=True))
        return {"stablehlo": Reference(detector).compare(whole, networks, "the StableHLO export")}


def _export_detector(detector: Detector) -> bytes:
    graph, state = nnx.split(detector)
    scales, size = calibrations(detector), detector.config.crops.image_size

    def run(clips: jax.Array, frame_mask: jax.Array) -> tuple[jax.Array, ...]:
        output = nnx.merge(graph, state)(clips, frame_mask)
        of_clips, of_frames = (
            jax.nn.sigmoid(scales[kind][0] * logits + scales[kind][1])
            for kind, logits in (("clips", output.clip_logits), ("frames", output.frame_logits))
        )
        found = dict(
            probability_fake=of_clips,
            frame_probabilities=of_frames,
            frame_logits=output.frame_logits,
            clip_logits=output.clip_logits,
        )
        return tuple(found[name] for name in OUTPUTS)

    num_clips, num_frames = export.symbolic_shape("clips, frames")
    return _serialized(
        run,
        jax.ShapeDtypeStruct((num_clips, num_frames, size, size, 3), jnp.uint8),
        jax.ShapeDtypeStruct((num_clips, num_frames), jnp.bool_),
    )


def _export_mtcnn() -> list[bytes]:
    sheets = export.symbolic_shape(
        "sheets, height, width, 3", constraints=["height >= 12", "width >= 12"]
    )
    shapes = [sheets, *(export.symbolic_shape(f"crops, {size}, {size}, 3") for size in (24, 48))]
    return [
        _serialized(network.__call__, jax.ShapeDtypeStruct(shape, jnp.uint8))
        for network, shape in zip(load_networks(), shapes, strict=True)
    ]


def _serialized(run: Callable[..., Any], *inputs: Any) -> bytes:
    # Weights are constants of the module: a file is all that is needed. On TPUs and GPUs, matrix
    # products would be rounded if that were not asked against.
    with jax.default_matmul_precision("highest"):
        return bytes(export.export(jax.jit(run), platforms=PLATFORMS)(*inputs).serialize())


def _load(path: Path) -> Run:
    exported = export.deserialize(bytearray(path.read_bytes()))
    return lambda *arrays: tuple(map(np.asarray, exported.call(*arrays)))
