"""What is measured beside the figures of a split, as sections of the report and of the card."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dfjax.data.sources import title
from dfjax.evaluation.tables import MEASURES, cell, percent, table

Json = Mapping[str, Any]


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
    header += f"{percent(partial['manipulated_share'])} of them manipulated"
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
                percent(row["no_face_share"]),
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
