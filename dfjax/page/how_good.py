"""How good the model is, from the evaluation that it was published with. No figure is our own."""

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from dfjax.data.sources import title
from dfjax.errors import ModelFormatError
from dfjax.models.evaluation_file import EVALUATION_FILE, RE_ENCODED
from dfjax.page.rendering import render
from dfjax.prediction import ModelSummary
from dfjax.reporting.recorded import Recorded
from dfjax.words import translated, words

_FEW = 50  # fakes of a kind of face, under which a share of them says little

_LABELS = ("real", "fake")

_VERDICTS = ("real", "uncertain", "fake")

_UNNAMED = "fake"
"""The method of fakes in a data set that does not say how they were made."""


def how_good(evaluation: Mapping[str, Any] | None, model: ModelSummary) -> str:
    """Returns the section as HTML; without a usable evaluation, one that says so.

    Args:
      evaluation: The content of the model's `report.json`.
      model: Names it.
    """
    measured = None
    if evaluation is not None:
        try:
            measured = _measured(Recorded(evaluation, file=EVALUATION_FILE))
        except ModelFormatError:  # of another version
            measured = None
    return render("how_good.html", measured=measured, card=_card_address(model))


def _measured(report: Recorded) -> dict[str, Any]:
    """Returns what the template shows.

    Raises:
      ModelFormatError: A figure is missing.
    """
    figures = report.at("figures")
    counts = figures.at("counts")
    split, real, fake = figures.text("split"), counts.count("real"), counts.count("fake")
    sources = report.rows("data")
    trained = any(data.flag("trained_on") for data in sources)
    fitted = any(data.flag("calibrated_on") for data in sources)
    splits = words.how_good.splits
    split = splits[split] if split in splits else split
    on = [words.how_good.measured_on.format(split=split, real=f"{real:,}", fake=f"{fake:,}")]
    on += [words.how_good.trained if trained else words.how_good.not_trained]
    on += [words.how_good.fitted] if fitted else []
    return {
        "on": " ".join(on),
        "sources": _sources(figures),
        "kinds": _kinds(figures),
        "misleading": _everyday(report),
        "weak": _weak_slices(report),
    }


def _sources(figures: Recorded) -> list[dict[str, Any]]:
    """Returns what became of the real and the fake ones of each data set, those of videos first.

    Data sets are kept apart: a model that is good at pictures may not be at videos. An older
    evaluation does not say which holds pictures, or has no figures of each.
    """
    if "verdicts_per_dataset" not in figures.flat():
        return [{"name": None, "rows": _rows(figures.at("verdicts"))}]
    sources = []
    for row in figures.rows("verdicts_per_dataset"):
        name, rows = title(row.text("dataset")), _rows(row)
        pictures = row.count("pictures") if "pictures" in row.flat() else None
        total = sum(row.count(label, verdict) for label in _LABELS for verdict in _VERDICTS)
        if pictures is not None and total:
            kind = "pictures" if pictures == total else "both" if pictures else "videos"
            name = words.how_good.holds[kind].format(dataset=name)
        sources.append((bool(pictures), {"name": name, "rows": rows}))
    return [source for _, source in sorted(sources, key=lambda each: each[0])]


def _rows(verdicts: Recorded) -> list[dict[str, Any]]:
    rows = [_verdicts(verdicts.at(label), label) for label in _LABELS]
    return [row for row in rows if row is not None]


def _verdicts(counts: Recorded, label: str) -> dict[str, Any] | None:
    """Returns what became of the real videos, or of the fakes; None if there were none."""
    numbers = [counts.count(verdict) for verdict in _VERDICTS]
    total = sum(numbers)
    if total == 0:
        return None
    shares = of_hundred(numbers)
    return {
        "name": words.how_good.of_100[label],
        "total": f"{total:,}",
        "parts": [
            {"verdict": verdict, "share": share, "words": words.how_good.called[verdict]}
            for verdict, share in zip(_VERDICTS, shares, strict=True)
        ],
    }


def of_hundred(numbers: list[int]) -> list[int]:
    """Returns how many of 100 each number is, so that they sum up to 100.

    Args:
      numbers: At least one of them over 0.

    Example:
      >>> from dfjax.page.how_good import of_hundred
      >>> of_hundred([1, 1, 1])
      [34, 33, 33]
    """
    exact = [100 * number / sum(numbers) for number in numbers]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], n))
    for n in by_rest[: 100 - sum(shares)]:
        shares[n] += 1
    return shares


def _kinds(figures: Recorded) -> list[dict[str, Any]]:
    """Returns how many fakes of each kind are called fake, over all their compressions."""
    kinds: dict[str, list[int]] = {}  # called fake, all versions, files as they are
    for row in figures.rows("per_method"):
        method, dataset = row.text("method"), title(row.text("dataset"))
        rate, num_fakes = row.figure("true_positive_rate")["value"], row.count("fake")
        if rate is None or num_fakes == 0:
            continue
        name = (
            words.how_good.unnamed_fakes.format(dataset=dataset) if method == _UNNAMED else method
        )
        so_far = kinds.setdefault(name, [0, 0, 0])
        so_far[0] += round(rate * num_fakes)
        so_far[1] += num_fakes
        so_far[2] += 0 if row.text("compression").endswith(RE_ENCODED) else num_fakes
    ordered = sorted(kinds.items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
    return [
        {
            "name": name,
            "files": words.how_good.files.format(count=f"{files:,}") if 0 < files < total else "",
            "share": f"{100 * called / total:.1f}",
            "words": _among(called, total),
        }
        for name, (called, total, files) in ordered
    ]


def _among(number: int, total: int) -> str:
    """Returns a share in words, as numbers that can be counted in the evaluation."""
    return words.how_good.share.format(number=f"{number:,}", total=f"{total:,}")


def _everyday(report: Recorded) -> list[str]:
    """Returns which everyday changes of real videos make the model call them fake."""
    try:
        rows = report.rows("robustness", "everyday")
    except ModelFormatError:  # it was not measured
        return []
    sentences = []
    for row in rows:
        rate, total = row.figure("false_positive_rate")["value"], row.count("scored")
        if rate:
            called = _among(round(rate * total), total)
            kind, setting = _known(row.text("kind")).capitalize(), _known(row.text("setting"))
            sentences.append(
                words.how_good.everyday.format(kind=kind, setting=setting, called=called)
            )
    return sentences


def _known(text: str) -> str:
    """Returns what the evaluation says in English, in the language that is spoken if it can be."""
    return translated(text) or text


def _weak_slices(report: Recorded) -> list[str]:
    """Returns the fakes that are caught least, by what is seen of the face, beside the best.

    That is no effect of what is seen: the parts differ in the data sets that they come from, too.
    """
    try:
        slices = report.rows("slices")
    except ModelFormatError:
        return []
    sentences = []
    for row in slices:
        by = row.text("by")
        if by not in words.how_good.slices:
            continue
        parts = [
            (part.figure("true_positive_rate"), part.count("fake"), part.text("label"))
            for part in row.rows("parts")
        ]
        known = [part for part in parts if part[0]["value"] is not None and part[1] >= _FEW]
        if len(known) < 2:
            continue
        known.sort(key=lambda part: part[0]["value"])
        (low, few, where), *_, (high, many, best) = known
        sentences.append(
            words.how_good.slices[by].format(
                **{"low": _with_interval(low), "few": f"{few:,}", "where": _range(where)},
                **{"high": _with_interval(high), "many": f"{many:,}", "best": _range(best)},
            )
        )
    return sentences


def _with_interval(figure: Mapping[str, Any]) -> str:
    """Returns a share in whole per cent, with its interval if it has one."""
    share = f"{figure['value']:.0%}"
    if figure["interval"] is None:
        return share
    low, high = (f"{end:.0%}" for end in figure["interval"])
    return words.how_good.interval.format(share=share, low=low, high=high)


def _range(label: str) -> str:
    """Returns what the evaluation calls a slice, "7.82 to 56.9", as "8 to 57" in any language."""
    whole = re.sub(r"\d+\.\d+", lambda value: f"{float(value[0]):.0f}", label)
    return whole.replace(" to ", f" {words.how_good.to} ")


def _card_address(model: ModelSummary) -> str | None:
    """Returns where the model's card is on the Hub; None of a folder elsewhere."""
    hub = "https://huggingface.co"
    if "/" in model.id:
        return f"{hub}/{quote(model.id)}"
    space = os.environ.get("SPACE_ID")
    return f"{hub}/spaces/{quote(space)}/blob/main/{quote(model.id)}/README.md" if space else None
