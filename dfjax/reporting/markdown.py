"""The report for a person to read, from the report for programs."""

from collections.abc import Mapping
from typing import Any

from dfjax.data.sources import title
from dfjax.evaluation.metrics import RANKING
from dfjax.evaluation.tables import MEASURES, cell, percent, table
from dfjax.reporting.further import further_sections

Json = Mapping[str, Any]


def markdown(report: Json) -> str:
    """Returns the text of `report.md`.

    Args:
      report: As `evaluate` gives it.
    """
    figures = report["figures"]
    counts = figures["counts"]
    names = ", ".join(title(name) for name in counts["datasets"]) or "nothing"
    sections = [
        f"# {report['model']['id']} on {names}, split {figures['split']}",
        _header(report),
        "".join(f"- {note}\n" for note in report["notes"]),
        _result(figures),
        _datasets(figures),
        _methods(figures),
        _decisions(figures),
        _calibration(figures),
        _failures(figures["failures"]),
        *further_sections(report),
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
        f"{counts['videos']} videos ({counts['real']} real, {counts['fake']} fake) of "
        f"{counts['groups']} groups of identities; {counts['clips']} face clips, "
        f"{counts['frames']} frames with a face.\n\n"
        + table(["data", "split", "fingerprint", "prepared with"], rows)
    )


def _result(figures: Json) -> str:
    threshold = figures["threshold"]
    withheld = (
        " The model gives no verdicts; this is the threshold that it would have had."
        if threshold["withheld"]
        else ""
    )
    rows = [
        [
            name,
            cell(figures["video"][key]),
            cell(figures["mean_of_frames"][key]) if key in RANKING else "",
            cell(figures["frame"][key]),
        ]
        for key, name in MEASURES.items()
    ]
    header = ["", "video", "video, mean of frames", "frame"]
    return f"""## Result

{figures["mean_of_frames"]["sentence"]}

{table(header, rows)}

A video's score is that of its highest face, as in the app. A frame's is that of the highest face
seen then; the label of the video is taken to hold for each. The threshold is
{threshold["value"]:.3f}, from the model's config.{withheld} Brier score and calibration error weigh
real and fake alike; average precision depends on the share of fakes, here
{_share(figures["counts"]["fake"], figures["counts"]["videos"])}.

![ROC](roc.png)
![Scores](probabilities.png)"""


def _datasets(figures: Json) -> str:
    keys = ("auc", "tpr_at_5_percent_fpr", "balanced_accuracy", "false_positive_rate")
    header = ["data set", "compression", "real", "fake", "groups", *(MEASURES[k] for k in keys)]
    rows = [
        [
            title(row["dataset"]),
            row.get("compression", "all"),
            row["real"],
            row["fake"],
            row["groups"],
            *(cell(row[key]) for key in keys),
        ]
        for row in (*figures["per_dataset"], *figures["per_compression"])
    ]
    mean = figures["mean_over_datasets"]
    rows.append(["mean over data sets", "", "", "", "", *(cell(mean[key]) for key in keys)])
    return f"## Per data set and compression\n\n{table(header, rows)}"


def _methods(figures: Json) -> str:
    keys = ("auc", "equal_error_rate", "tpr_at_5_percent_fpr", "true_positive_rate")
    header = ["method", "data set", "compression", "fake", "real", *(MEASURES[k] for k in keys)]
    rows = [
        [
            row["method"],
            title(row["dataset"]),
            row["compression"],
            row["fake"],
            row["real"],
            *(cell(row[key]) for key in keys),
        ]
        for row in figures["per_method"]
    ]
    mean = figures["mean_over_methods"]
    rows.append(["mean over methods", "", "", "", "", *(cell(mean[key]) for key in keys)])
    return f"""## Per method of manipulation

Each against the real videos of the same data set and compression.

{table(header, rows)}

![Methods](methods.png)"""


def _decisions(figures: Json) -> str:
    confusion, verdicts = figures["confusion"], figures["verdicts"]
    points = [
        [
            f"{point['wanted_false_positive_rate']:.0%}",
            f"{point['fake_above']:.3f}",
            cell(point["false_positive_rate"]),
            cell(point["true_positive_rate"]),
        ]
        for point in figures["operating_points"]
    ]
    counts = [
        [
            label,
            confusion[f"{'true' if label == 'real' else 'false'}_real"],
            confusion[f"{'true' if label == 'fake' else 'false'}_fake"],
            *(verdicts[label][answer] for answer in ("real", "uncertain", "fake")),
        ]
        for label in ("real", "fake")
    ]
    header = ["", "under the threshold", "over it", "answer: real", "uncertain", "fake"]
    text = f"## Decisions\n\n{table(header, counts)}"
    if points:
        header = ["false positives, as calibrated", "threshold", "real called fake", "fakes found"]
        intro = "Thresholds of the config, and what they give here, as means over data sets:"
        text += f"\n\n{intro}\n\n{table(header, points)}"
    return text


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

{len(rows)} bins of equal width; real and fake weigh alike.

{table(["probability_fake", "videos", "mean", "share of fakes"], rows)}

![Reliability](reliability.png)"""


def _failures(failures: Json) -> str:
    if not failures["known"]:
        return f"## Videos without a score\n\nNot known: {failures['reason']}."
    keys = ("auc", "balanced_accuracy", "false_positive_rate")
    rows = [
        [words, *(cell(failures[name][key]) for key in keys)]
        for name, words in (
            ("left_out", "left out"),
            ("counted_as_wrong", "counted as told wrongly"),
        )
    ]
    return f"""## Videos without a score

{failures["no_face"]} videos without a face ({percent(failures["no_face_share"])} of all),
{failures["unreadable"]} that could not be read. "No face" is never "real".

{table(["they are", *(MEASURES[key] for key in keys)], rows)}"""


def _how(report: Json) -> str:
    figures = report["figures"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    revision = report["model"]["revision"]
    model = report["model"]["fingerprint"] + (f", revision {revision}" if revision else "")
    return f"""## How this was measured

In brackets: 95% intervals from {figures["bootstrap"]["draws"]} bootstrap draws over
{figures["bootstrap"]["over"]}. Nothing was fitted here. Fingerprint of the model: {model}.
{versions}. `report.json` holds all figures."""


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)
