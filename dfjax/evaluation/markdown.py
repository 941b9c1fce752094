"""The report for a person to read, from the report for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dfjax.data.sources import title
from dfjax.evaluation.metrics import RANKING

Json = Mapping[str, Any]

MEASURES = {
    "auc": "ROC AUC",
    "average_precision": "average precision",
    "equal_error_rate": "equal error rate",
    "tpr_at_1_percent_fpr": "fakes found at 1% false positives",
    "tpr_at_5_percent_fpr": "fakes found at 5% false positives",
    "balanced_accuracy": "balanced accuracy at the threshold",
    "false_positive_rate": "real called fake at the threshold",
    "true_positive_rate": "fakes found at the threshold",
    "brier": "Brier score",
    "calibration_error": "expected calibration error",
}
"""What figures are called, by their names in a report."""


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


def further_sections(report: Json) -> list[str]:
    """Returns what `evaluate` measures beside the figures of the split; empty where it did not."""
    return [
        _partial(report["partial_fakes"]),
        _self_blended(report["self_blended"]),
        _slices(report["slices"], report["figures"]["split"]),
        _mistakes(report["mistakes"]),
        _shortcuts(report["shortcuts"]),
        _robustness(report["robustness"]),
    ]


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

{failures["no_face"]} videos without a face ({_percent(failures["no_face_share"])} of all),
{failures["unreadable"]} that could not be read. "No face" is never "real".

{table(["they are", *(MEASURES[key] for key in keys)], rows)}"""


def _partial(partial: Json) -> str:
    intro = """## Partial fakes

Originals with one stretch of their fake in place of their own frames: does a frame's score tell
which are manipulated?"""
    if not partial["clips"]:
        return f"{intro} Not measured: {partial['auc']['reason']}."
    rows = [
        ["AUC over all frames", cell(partial["auc"])],
        ["AUC within a clip, mean over clips", cell(partial["auc_within_clips"])],
    ]
    header = f"{partial['clips']} clips, {partial['frames']} frames, "
    header += f"{_percent(partial['manipulated_share'])} of them manipulated"
    return f"{intro}\n\n{table([header, 'value'], rows)}"


def _self_blended(blended: Json | None) -> str:
    if blended is None:
        return ""
    keys = [key for key in MEASURES if key in blended]
    rows = [
        [MEASURES[key], cell(blended[key]), cell(blended["mean_of_frames"][key])] for key in keys
    ]
    header = [f"{blended['real']} real, {blended['fake']} blended", "video", "mean of frames"]
    return f"""## Self-blended fakes

Every real clip against one blended from itself: no known method, and nothing but the blend to tell.

{table(header, rows)}"""


def _slices(slices: Sequence[Json], split: str) -> str:
    keys = ("auc", "false_positive_rate", "true_positive_rate")
    header = ["by", "part", "real", "fake", *(MEASURES[key] for key in keys)]
    rows = [
        [
            entry["by"] if entry["unit"] is None else f"{entry['by']}, {entry['unit']}",
            part["label"],
            part["real"],
            part["fake"],
            *(cell(part[key]) for key in keys),
        ]
        for entry in slices
        for part in entry["parts"]
    ]
    skipped = "".join(
        f"- Not by {entry['by']}: {entry['reason']}.\n" for entry in slices if not entry["parts"]
    )
    return f"""## Parts of the split {split}

By what the main face of a video looks like, in parts with as many videos, and by what the data set
says of them.

{table(header, rows) if rows else ""}

{skipped}
{"![Parts](slices.png)" if rows else ""}"""


def _mistakes(mistakes: Json) -> str:
    header = ["video", "label", "probability_fake", "told wrongly", "its face beside the others"]
    rows = [
        [
            example["video"],
            label,
            f"{example['probability_fake']:.3f}",
            "yes" if example["is_wrong"] else "no",
            ", ".join(example["traits"]),
        ]
        for label, examples in mistakes.items()
        for example in examples
    ]
    return f"""## Furthest from the truth

The real videos with the highest scores and the fakes with the lowest. A word for the face is given
where at most one in ten videos of the split is so or more so.

{table(header, rows)}"""


def _shortcuts(shortcuts: Json | None) -> str:
    if shortcuts is None:
        return ""
    intro = """## Controls: labels told without the face

Both should be near an AUC of 0.5, or figures above measure something else than faces. "Face masked
out" is the model on crops with grey in place of the face; "metadata alone" a random forest over
what ffmpeg or the JPEG header says of a file, its size and its rates, fitted on the training
split."""
    parts = {"face masked out": shortcuts["faceless"], "metadata alone": shortcuts["metadata"]}
    rows = []
    for name, part in parts.items():
        if part is None:
            rows.append([name, "not measured without the files", "", "", ""])
            continue
        for row in part["per_setting"]:
            setting = f"{title(row['dataset'])} {row['compression']}".strip()
            rows.append([name, setting, row["real"], row["fake"], cell(row["auc"])])
        rows.append([name, "mean", "", "", cell(part["auc"])])
    header = ["control", "data", "real", "fake", "AUC"]
    return f"{intro}\n\n{table(header, rows)}"


def _robustness(robustness: Json | None) -> str:
    if robustness is None:
        return ""
    header = ["distortion", "setting", "scored", "AUC", "AUC, mean of frames", "balanced accuracy"]
    header += ["real called fake", "no face", "unreadable"]

    def rows(entries: Iterable[Json], *keys: str) -> list[list[Any]]:
        return [
            [
                f"{row['kind']} {row['severity'] or ''}".strip(),
                row["setting"],
                row["scored"],
                *(cell(row[key]) for key in keys),
                _percent(row["no_face_share"]),
                row["unreadable"],
            ]
            for row in entries
        ]

    counts = f"{robustness['real']} real and {robustness['fake']} fake videos of"
    keys = ("auc", "mean_of_frames_auc", "balanced_accuracy", "false_positive_rate")
    text = f"""## Distorted videos

{counts} {robustness["groups"]} groups of identities, each changed, then searched for faces and
scored anew. Verdicts are at the threshold {robustness["threshold"]:.3f}; AUC is the mean over data
sets.

{table(header, rows(robustness["distortions"], *keys))}"""
    if len(robustness["distortions"]) > 1:
        text += "\n\n![Distorted videos](robustness.png)"
    if robustness["everyday"]:
        header = ["treatment", "setting", "scored", "real called fake", "no face", "unreadable"]
        text += f"""

### Everyday treatments of real videos

{robustness["real"]} real videos, at the threshold {robustness["everyday_threshold"]:.3f} for 5%
false positives.

{table(header, rows(robustness["everyday"], "false_positive_rate"))}"""
    return text


def _how(report: Json) -> str:
    figures = report["figures"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    revision = report["model"]["revision"]
    model = report["model"]["fingerprint"] + (f", revision {revision}" if revision else "")
    return f"""## How this was measured

In brackets: 95% intervals from {figures["bootstrap"]["draws"]} bootstrap draws over
{figures["bootstrap"]["over"]}. Nothing was fitted here. Fingerprint of the model: {model}.
{versions}. `report.json` holds all figures."""


def cell(figure: Json) -> str:
    """Returns a figure with its interval, or with the reason for what is absent."""
    if figure["value"] is None:
        return f"— ({figure['reason']})"
    if figure["interval"] is None:
        return f"{figure['value']:.3f} (no interval: {figure['reason']})"
    low, high = figure["interval"]
    return f"{figure['value']:.3f} ({low:.3f} to {high:.3f})"


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{share:.1%}"


def _share(part: int, whole: int) -> str:
    return _percent(part / whole if whole else None)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_plain(str(cell)) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    # A video's or an attribute's own words must not break the table.
    return text.replace("|", r"\|").replace("\n", " ")
