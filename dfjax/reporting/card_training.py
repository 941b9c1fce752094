"""How a model was trained, as sentences of its card."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dfjax.evaluation.tables import table
from dfjax.reporting.recorded import Recorded


def trained(settings: Mapping[str, Any]) -> str:
    """Returns in words what was trained, and on which fakes."""
    stages = settings.get("trained_stages")
    sentences = []
    if stages == 0:
        sentences.append(
            "It is a **baseline**: the encoder keeps the ImageNet weights that it came with, and "
            "only what follows it was trained."
        )
    elif stages is not None:
        sentences.append(
            f"Of the encoder's stem and stages the last {stages} were trained, with all that "
            "follows; the rest keeps its ImageNet weights."
        )
    if settings.get("self_blended"):
        sentences.append(
            f"Of the fakes that it saw, {settings['self_blended']:.0%} were real clips that were "
            "blended with themselves."
        )
    if settings.get("partial_fakes"):
        sentences.append(
            f"With a chance of {settings['partial_fakes']:.0%} a fake was manipulated in a part of "
            "its frames only."
        )
    return " ".join(sentences)


def splits(record: Recorded) -> str:
    """Returns the counts of the two splits, as a table."""
    keys = ("videos", "clips", "real", "fake", "groups")
    return table(
        ["split", "videos and pictures", "clips", "real", "fake", "identity groups"],
        [
            [split, *(record.count("data", split, key) for key in keys)]
            for split in ("train", "validation")
        ],
    )


def about(training: Mapping[str, Any]) -> str:
    """Returns what whoever trained the model says of the data's origins, as sentences."""
    about = str(training["data"].get("about") or "").strip()
    return f" {about}" if about else ""


def correction(training: Mapping[str, Any]) -> str:
    """Returns how much of the LSTM's correction counts; nothing where that was not fitted."""
    if "correction_share" not in training:
        return ""
    share = Recorded(training).number("correction_share")
    return (
        f"Of what the LSTM adds to the mean of the frames' logits, {share:.2f} counts: that share "
        "was fitted on the validation videos, together with the probabilities. "
    )


def share_of_start(training: Mapping[str, Any]) -> str:
    """Returns how much of the start is in the weights; nothing where there is none of it."""
    if not training.get("start_share"):
        return ""
    share = Recorded(training).number("start_share")
    return (
        f"They are a mean: {1 - share:.2f} of that, and {share:.2f} of what the run started from. "
    )


def rounding(training: Mapping[str, Any]) -> str:
    """Returns what the digits that were left off changed; nothing where it was not measured."""
    if "rounding" not in training:
        return ""
    change = Recorded(training).number("rounding", "largest_logit_change")
    return (
        "Kernels are published with the digits of float16; that changed no logit of the validation "
        f"clips, nor of their frames, by more than {change:.5f}."
    )


def before(started_from: Sequence[Mapping[str, Any]] | None) -> str:
    """Returns the runs that this one went on from, the last first, as a paragraph and a list."""
    runs: dict[str, str] = {}  # and after each, what it went on from itself

    def listed(records: Sequence[Mapping[str, Any]] | None) -> str:
        names = []
        for record in records or ():
            name = "a model that came without a record of its training"
            if record["command"] is not None:
                name = f"step {record['step']} of `{_shown(record['command'])}`"
            if name not in runs:
                runs[name] = ""  # its number, before those that it went on from
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
        f"It went on from {last}:\n\n" + "\n".join(lines)
    )


def _shown(command: str) -> str:
    """Returns a command without what it says about its data: the card says that above."""
    words = shlex.split(command)
    if "--about-data" in words:
        start = words.index("--about-data")
        del words[start : start + 2]
    return shlex.join(words)
