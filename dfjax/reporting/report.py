"""Writes the report of an evaluation: JSON, Markdown and plots."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from dfjax.data.sources import title
from dfjax.evaluation import studies
from dfjax.evaluation.run import Evaluation
from dfjax.evaluation.scores import Scores
from dfjax.json_values import dumps
from dfjax.reporting import plots
from dfjax.reporting.markdown import markdown


def write_report(evaluation: Evaluation, out: Path) -> None:
    """Writes `report.json`, `report.md` and the plots that it shows.

    Args:
      evaluation: The result of `evaluate`.
      out: Folder to write to; created if missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in _pictures(evaluation.report, evaluation.videos).items():
        picture.savefig(out / f"{name}.png", dpi=120)
    (out / "report.json").write_text(dumps(evaluation.report), encoding="utf-8")
    (out / "report.md").write_text(markdown(evaluation.report), encoding="utf-8")


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
