"""The model card's sentences on how the model was trained."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dfjax.evaluation.tables import table
from dfjax.reporting.recorded import Recorded


def trained(settings: Mapping[str, Any], *, pretraining: str = "ImageNet") -> str:
    """Returns sentences on which parts were trained, and on which fakes.

    Args:
      settings: The training config, with dotted names of what is in others.
      pretraining: What the encoder's weights are called.
    """
    stages = settings.get("trained_stages")
    sentences = []
    if settings.get("train") == "norms":
        sentences.append(
            "Of the encoder, only the scales and offsets of its norms were trained, with the "
            f"linear layer after it; the rest keeps its {pretraining} weights."
        )
    elif stages == 0:
        sentences.append(
            f"It is a **baseline**: the encoder keeps its {pretraining} weights, and only the "
            "layers after it were trained."
        )
    elif stages is not None:
        sentences.append(
            f"The last {stages} of the encoder's stem and stages were trained, with all layers "
            f"after the encoder; the rest keeps its {pretraining} weights."
        )
    if settings.get("self_blended"):
        sentences.append(
            f"{settings['self_blended']:.0%} of the fakes it was trained on were real clips "
            "blended with themselves."
        )
    stills = settings.get("still_self_blended")
    if stills is not None and settings.get("still_pairs"):
        sentences.append(f"Of single pictures, {stills:.0%} were.")
    swapped = settings.get("blend.swapped")
    if swapped:
        sentences.append(
            f"Of the blends without a generator's traces, {swapped:.0%} were with another "
            "person's face."
        )
    if settings.get("partial_fakes"):
        sentences.append(
            f"With a probability of {settings['partial_fakes']:.0%}, a fake was manipulated in "
            "some of its frames only."
        )
    return " ".join(sentences)


def splits(record: Recorded) -> str:
    """Returns a table with the counts of both splits."""
    keys = ("videos", "clips", "real", "fake", "groups")
    return table(
        ["split", "videos and pictures", "clips", "real", "fake", "identity groups"],
        [
            [split, *(record.count("data", split, key) for key in keys)]
            for split in ("train", "validation")
        ],
    )


def about(training: Mapping[str, Any]) -> str:
    """Returns the description of the data given to `--about-data`; empty if there is none."""
    about = str(training["data"].get("about") or "").strip()
    return f" {about}" if about else ""


def correction(training: Mapping[str, Any]) -> str:
    """Returns a sentence on the factor for the LSTM's correction; empty if there is none."""
    if training.get("correction_share") is None:
        return ""
    share = Recorded(training).number("correction_share")
    return (
        f"The LSTM's correction to the mean of the frame logits is multiplied by {share:.2f}; this "
        "factor was fitted on the validation videos, together with the calibration. "
    )


def share_of_start(training: Mapping[str, Any]) -> str:
    """Returns a sentence on the weight of the starting model; empty if it is zero."""
    if not training.get("start_share"):
        return ""
    share = Recorded(training).number("start_share")
    return f"They are averaged with the starting model: {1 - share:.2f} to {share:.2f}. "


def rounding(training: Mapping[str, Any]) -> str:
    """Returns a sentence on the effect of rounding the weights; empty if it was not measured."""
    if "rounding" not in training:
        return ""
    change = Recorded(training).number("rounding", "largest_logit_change")
    return (
        "Kernels are rounded to float16 precision, which changed no logit of the validation clips "
        f"or their frames by more than {change:.5f}."
    )


def before(started_from: Sequence[Mapping[str, Any]] | None) -> str:
    """Returns the runs that this one started from, latest first, as a paragraph and a list."""
    runs: dict[str, str] = {}  # each with what it started from in turn

    def listed(records: Sequence[Mapping[str, Any]] | None) -> str:
        names = []
        for record in records or ():
            name = "a model without a training record"
            if record["command"] is not None:
                name = f"step {record['step']} of `{_shown(record['command'])}`"
            if name not in runs:
                runs[name] = ""  # numbered before the runs it started from
                if earlier := listed(record.get("started_from")):
                    runs[name] = f", from {earlier}"
            names.append(f"({list(runs).index(name) + 1})")
        mean = "the mean of the weights of " if len(names) > 1 else ""
        return mean + " and ".join(names)

    if not (last := listed(started_from)):
        return ""
    lines = [f"{i}. {name}{after}" for i, (name, after) in enumerate(runs.items(), start=1)]
    return (
        "\n\nSettings, time and kinds of fakes are those of the last run. "
        f"It started from {last}:\n\n" + "\n".join(lines)
    )


def _shown(command: str) -> str:
    """Returns a command without `--about-data`, which the card has already shown."""
    words = shlex.split(command)
    if "--about-data" in words:
        start = words.index("--about-data")
        del words[start : start + 2]
    return shlex.join(words)
