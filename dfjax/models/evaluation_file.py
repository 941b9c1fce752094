"""The evaluation that a model is published with, if it is: `report.json` in its folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EVALUATION_FILE = "report.json"
"""File in a checkpoint with the evaluation that its card and the page show."""

RE_ENCODED = "re-encoded"
"""How a compression in it ends that counts versions of files, encoded anew."""


def read_evaluation(folder: Path, digest: str | None) -> Mapping[str, Any] | None:
    """Returns what `evaluate` measured of a model; None if it is not there, or of other weights.

    Args:
      folder: The model's folder.
      digest: The model's fingerprint. A report on other weights says nothing about these.
    """
    try:
        report = json.loads((folder / EVALUATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    model = report.get("model") if isinstance(report, dict) else None
    measured = model.get("fingerprint") if isinstance(model, dict) else None
    return report if measured is not None and measured == digest else None
