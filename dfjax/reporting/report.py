"""Writes the report of an evaluation: JSON, Markdown and plots."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from dfjax.data.sources import title
from dfjax.evaluation import studies
from dfjax.evaluation.drawing import png_bytes
from dfjax.evaluation.run import Evaluation
from dfjax.evaluation.scores import Scores
from dfjax.files import write_bytes_atomically
from dfjax.json_values import dumps
from dfjax.reporting import plots
from dfjax.reporting.markdown import markdown


def write_report(evaluation: Evaluation, out: Path) -> None:
    """Writes `report.json`, `report.md` and the plots that it shows.

    All is made before anything is written, each file is there whole or not at all, and
    `report.json` comes last: it never describes files that are not there yet.

    Args:
      evaluation: The result of `evaluate`.
      out: Folder to write to; created if missing.
    """
    pictures = _pictures(evaluation.report, evaluation.videos)
    files = {f"{name}.png": png_bytes(picture) for name, picture in pictures.items()}
    files["report.md"] = markdown(evaluation.report).encode()
    files["report.json"] = dumps(evaluation.report).encode()
    for name, contents in files.items():
        write_bytes_atomically(out / name, contents)


def _pictures(report: Mapping[str, Any], videos: Scores) -> dict[str, Figure]:
    """Returns all plots by name; each has a caption with data sets, split and counts."""
    figures, counts = report["figures"], report["figures"]["counts"]
    caption = f"{', '.join(map(title, counts['datasets']))}, {figures['split']} split: "
    caption += f"{counts['real']} real, {counts['fake']} fake"
    pictures = {
        "roc": plots.draw_roc(videos, caption),
        "probabilities": plots.draw_probabilities(videos, figures["threshold"]["value"], caption),
        "reliability": plots.draw_reliability(figures, caption),
        "methods": plots.draw_methods(figures, caption),
    }
    for study, result in studies.results(report):
        pictures |= study.pictures(result, caption)
    return pictures
