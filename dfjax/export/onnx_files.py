"""Writes a model as ONNX files, and checks them in every runtime that is installed."""

import importlib.util
from pathlib import Path

from dfjax.export.compare import MTCNN, Reference, without_rounding
from dfjax.export.describe import calibrations, description
from dfjax.extras import require_extra
from dfjax.faces.mtcnn_graph import mtcnn_graphs
from dfjax.files import written_together
from dfjax.models import pretrained
from dfjax.models.detector import Detector
from dfjax.models.graphs.detector import detector_graph
from dfjax.models.locate import find_folder, model_name
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.runtime import open_runtime

ONNX_FILES = ("detector.onnx", *(f"{name}.onnx" for name in MTCNN))
"""The files that are written."""


def export_onnx(
    model: str, out: Path, *, revision: str | None = None, name: str | None = None
) -> dict[str, float]:
    """Writes the detector and MTCNN's three networks, and compares them with JAX.

    Args:
      model: A folder, or "owner/name" on the Hub.
      out: The folder to write to. What is in it stays as it is until the new files are checked.
      revision: Branch, tag or commit on the Hub; None: its main branch.
      name: What the files call the model; None: by the name of its folder or repository.

    Returns:
      By how much probabilities differ from those in JAX at most, by runtime.

    Raises:
      ExportError: A file does not compute what it should.
      HubError: The Hub does not have the model, denies access to it, or cannot be reached.
      MissingExtraError: ONNX or its runtime is not installed.
      ModelFormatError: It is not a model of dfjax, or one of which no graph can be written.
    """
    require_extra("onnx", "An export to ONNX")
    folder = find_folder(model, revision=revision)
    detector = Detector.from_pretrained(folder)
    metadata = description(detector, name or model_name(model))
    whole = detector_graph(
        detector.config,
        TensorTable(pretrained.read_detector_tensors(folder), where=model),
        calibrations=calibrations(detector),
        metadata=metadata,
    )
    of_mtcnn = mtcnn_graphs({"dfjax_version": metadata["dfjax_version"]})
    with written_together(out, ONNX_FILES) as unfinished:
        for file, content in zip(ONNX_FILES, (whole, *of_mtcnn), strict=True):
            (unfinished / file).write_bytes(content)
        return check_onnx(detector, unfinished)


def check_onnx(detector: Detector, folder: Path) -> dict[str, float]:
    """Runs the files of an export, and compares them with JAX.

    Args:
      detector: What was exported.
      folder: Has the files.

    Returns:
      As `export_onnx`.

    Raises:
      ExportError: A file does not compute what it should.
    """
    differences, reference = {}, Reference(without_rounding(detector))
    for runtime in ("onnx", "openvino"):
        if importlib.util.find_spec("openvino" if runtime == "openvino" else "onnxruntime") is None:
            continue
        opened = open_runtime(runtime)
        whole, *of_mtcnn = (opened.load((folder / file).read_bytes()) for file in ONNX_FILES)
        where = f"the ONNX export, run by {runtime},"
        networks = dict(zip(MTCNN, of_mtcnn, strict=True))
        differences[runtime] = reference.compare(whole, networks, where)
    return differences
