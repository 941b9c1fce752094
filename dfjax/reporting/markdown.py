"""The readable report, `report.md`, from the content of `report.json`."""

from collections.abc import Mapping
from typing import Any

from dfjax.data.sources import title
from dfjax.evaluation import studies
from dfjax.evaluation.tables import as_percent, table
from dfjax.reporting.figure_tables import (
    decisions_table,
    measures_table,
    methods_table,
    novelty_table,
    operating_points,
    settings_table,
    unscored,
    verdicts_table,
)
from dfjax.reporting.recorded import Recorded

Json = Mapping[str, Any]


def markdown(report: Json) -> str:
    """Returns the text of `report.md`.

    Args:
      report: The report from `evaluate`.
    """
    figures = report["figures"]
    recorded = Recorded(figures, ("figures",), file="report.json")
    counts = figures["counts"]
    names = ", ".join(title(name) for name in counts["datasets"]) or "nothing"
    sections = [
        f"# {report['model']['id']} on {names}, split {figures['split']}",
        _header(report),
        "".join(f"- {note}\n" for note in report["notes"]),
        _result(figures, recorded),
        _datasets(recorded),
        _methods(recorded),
        _decisions(recorded),
        _calibration(figures),
        f"## Videos without a score\n\n{unscored(recorded)}",
        *(study.section(result, figures["split"]) for study, result in studies.results(report)),
        _how(report),
    ]
    return "\n\n".join(section.strip() for section in sections if section.strip()) + "\n"


def _header(report: Json) -> str:
    counts = report["figures"]["counts"]
    rows = [
        [data["name"], data["split"], data["fingerprint"], data["prepared_with"]]
        for data in report["data"]
    ]
    return (
        f"{counts['videos']} videos ({counts['real']} real, {counts['fake']} fake) from "
        f"{counts['groups']} groups of identities; {counts['clips']} face clips, "
        f"{counts['frames']} frames with a face.\n\n"
        + table(["data", "split", "fingerprint", "prepared with"], rows)
    )


def _result(figures: Json, recorded: Recorded) -> str:
    threshold = figures["threshold"]
    withheld = (
        " The model gives no verdicts; this is its threshold for the figures only."
        if threshold["withheld"]
        else ""
    )
    verdicts = verdicts_table(recorded)
    verdicts += "\n\n" if verdicts else ""
    return f"""## Result

{verdicts}{figures["mean_of_frames"]["sentence"]}

{measures_table(recorded)}

A video's score is formed from those of its faces as in the app. A frame's score is that of its
highest-scoring face; each frame is assumed to have the label of its video. The threshold is
{threshold["value"]:.3f}, from the model's config.{withheld} Brier score and calibration error give
real and fake equal weight; average precision depends on the share of fakes, here
{_share(figures["counts"]["fake"], figures["counts"]["videos"])}.

![ROC](roc.png)
![Scores](probabilities.png)"""


def _datasets(figures: Recorded) -> str:
    keys = ("auc", "tpr_at_5_percent_fpr", "balanced_accuracy", "false_positive_rate")
    return f"## Per data set and compression\n\n{settings_table(figures, keys)}"


def _methods(figures: Recorded) -> str:
    keys = ("auc", "equal_error_rate", "tpr_at_5_percent_fpr", "true_positive_rate")
    novelty = novelty_table(figures, keys)
    if novelty:
        novelty = f"Methods that the model was trained on, and others:\n\n{novelty}\n\n"
    return f"""## Per manipulation method

{novelty}Each method against the real videos of the same data set and compression:

{methods_table(figures, keys)}

![Methods](methods.png)"""


def _decisions(figures: Recorded) -> str:
    return f"## Decisions\n\n{decisions_table(figures)}\n\n{operating_points(figures)}"


def _calibration(figures: Json) -> str:
    rows = [
        [
            f"{place / len(figures['reliability']):.1f} to "
            f"{(place + 1) / len(figures['reliability']):.1f}",
            bin["count"],
            "" if bin["count"] == 0 else f"{bin['mean_probability']:.3f}",
            "" if bin["count"] == 0 else f"{bin['fake_share']:.3f}",
        ]
        for place, bin in enumerate(figures["reliability"])
    ]
    return f"""## Calibration

{len(rows)} bins of equal width; real and fake have equal weight.

{table(["probability_fake", "videos", "mean", "share of fakes"], rows)}

![Reliability](reliability.png)"""


def _how(report: Json) -> str:
    figures = report["figures"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    revision = report["model"]["revision"]
    model = report["model"]["fingerprint"] + (f", revision {revision}" if revision else "")
    return f"""## How this was measured

Parentheses show 95% intervals from {figures["bootstrap"]["draws"]} bootstrap draws over
{figures["bootstrap"]["over"]}. Nothing was fitted here. Fingerprint of the model: {model}.
{versions}. `report.json` contains all figures."""


def _share(part: int, whole: int) -> str:
    return as_percent(part / whole if whole else None)
