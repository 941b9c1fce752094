"""The figures of a split as text, for both the report and the model card."""

from collections.abc import Sequence

from dfjax.data.sources import title
from dfjax.evaluation.metrics import RANKING
from dfjax.evaluation.tables import MEASURES, as_percent, cell, table
from dfjax.reporting.recorded import Recorded
from dfjax.shown_numbers import threshold_percent


def measures_table(figures: Recorded) -> str:
    """Returns a table of all figures for videos, the mean of frames, and frames.

    Figures that an older report does not have are left out.
    """
    measured = {name.split(".")[0] for name in figures.at("video").flat()}
    rows = [
        [
            name,
            cell(figures.figure("video", key)),
            cell(figures.figure("mean_of_frames", key)) if key in RANKING else "",
            cell(figures.figure("frame", key)),
        ]
        for key, name in MEASURES.items()
        if key in measured
    ]
    return table(["", "video", "video, mean of frames", "frame"], rows)


def decisions_table(figures: Recorded) -> str:
    """Returns a table of counts at the threshold and by verdict."""
    rows = [
        [
            label,
            figures.count("confusion", f"{'true' if label == 'real' else 'false'}_real"),
            figures.count("confusion", f"{'true' if label == 'fake' else 'false'}_fake"),
            *(figures.count("verdicts", label, answer) for answer in ("real", "uncertain", "fake")),
        ]
        for label in ("real", "fake")
    ]
    header = ["", "below the threshold", "above it", "verdict: real", "uncertain", "fake"]
    return table(header, rows)


def verdicts_table(figures: Recorded) -> str:
    """Returns a table of how often each verdict was given, per data set and label.

    It is empty if the figures are older than these counts.
    """
    if "verdicts_per_dataset" not in figures.flat():
        return ""
    rows = []
    for row in figures.rows("verdicts_per_dataset"):
        for label in ("real", "fake"):
            counts = [row.count(label, answer) for answer in ("real", "uncertain", "fake")]
            if total := sum(counts):
                shares = [as_percent(count / total) for count in counts]
                rows.append([title(row.text("dataset")), label, total, *shares])
    return table(["data set", "videos are", "count", "called real", "uncertain", "fake"], rows)


def operating_points(figures: Recorded) -> str:
    """Returns an introduced table of the config's thresholds; empty if there are none."""
    rows = [
        [
            threshold_percent(point.number("wanted_false_positive_rate")),
            f"{point.number('fake_above'):.3f}",
            cell(point.figure("false_positive_rate")),
            cell(point.figure("true_positive_rate")),
        ]
        for point in figures.rows("operating_points")
    ]
    if not rows:
        return ""
    header = ["false positives, as calibrated", "threshold", "real called fake", "fakes found"]
    intro = (
        "Thresholds in `config.json` by false-positive rate, with the rates measured here (means"
    )
    return f"{intro} over data sets):\n\n{table(header, rows)}"


def methods_table(figures: Recorded, keys: Sequence[str]) -> str:
    """Returns a table of the figures of each manipulation method, and their mean.

    Args:
      figures: As `figures.report` gives them.
      keys: Which figures, as in `MEASURES`.
    """
    rows = [
        [
            row.text("method"),
            title(row.text("dataset")),
            row.text("compression"),
            row.count("fake"),
            row.count("real"),
            *(cell(row.figure(key)) for key in keys),
        ]
        for row in figures.rows("per_method")
    ]
    mean = figures.at("mean_over_methods")
    rows.append(["mean over methods", "", "", "", "", *(cell(mean.figure(key)) for key in keys)])
    names = [MEASURES[key] for key in keys]
    return table(["method", "data set", "compression", "fake", "real", *names], rows)


def novelty_table(figures: Recorded, keys: Sequence[str]) -> str:
    """Returns a table of the figures of methods that were trained on, and of those that were not.

    It is empty if that is not known.

    Args:
      figures: As `figures.report` gives them.
      keys: Which figures, as in `MEASURES`.
    """
    if figures.flat().get("seen_and_unseen") is None:
        return ""
    rows = [
        [
            title(row.text("dataset")),
            "yes" if row.flag("seen") else "no",
            ", ".join(map(str, row.values("methods"))),
            row.count("fake"),
            row.count("real"),
            *(cell(row.figure(key)) for key in keys),
        ]
        for row in figures.rows("seen_and_unseen")
    ]
    names = [MEASURES[key] for key in keys]
    return table(["data set", "trained on", "methods", "fake", "real", *names], rows)


def settings_table(figures: Recorded, keys: Sequence[str]) -> str:
    """Returns a table of the figures per data set and compression, and the mean over data sets.

    Args:
      figures: As `figures.report` gives them.
      keys: Which figures, as in `MEASURES`.
    """
    settings = [(row, "all") for row in figures.rows("per_dataset")]
    settings += [(row, row.text("compression")) for row in figures.rows("per_compression")]
    rows = [
        [
            title(row.text("dataset")),
            compression,
            *(row.count(name) for name in ("real", "fake", "groups")),
            *(cell(row.figure(key)) for key in keys),
        ]
        for row, compression in settings
    ]
    mean = figures.at("mean_over_datasets")
    rows.append(["mean over data sets", "", "", "", "", *(cell(mean.figure(key)) for key in keys)])
    names = [MEASURES[key] for key in keys]
    return table(["data set", "compression", "real", "fake", "groups", *names], rows)


def unscored(figures: Recorded) -> str:
    """Returns how many videos have no score, and how they affect the figures."""
    failures = figures.at("failures")
    if failures.flat().get("known") is not True:
        return f"It is not known how many videos have no score: {failures.text('reason')}."
    no_face, unreadable = failures.count("no_face"), failures.count("unreadable")
    total = figures.count("counts", "videos") + no_face + unreadable
    keys = ("auc", "balanced_accuracy", "false_positive_rate")
    rows = [
        [words, *(cell(failures.figure(name, key)) for key in keys)]
        for name, words in (
            ("left_out", "left out"),
            ("counted_as_wrong", "counted as misclassified"),
        )
    ]
    share = as_percent(no_face / total if total else None)
    return f"""{no_face} videos had no face ({share} of all) and
{unreadable} could not be read. "No face" is never counted as "real".

{table(["these videos are", *(MEASURES[key] for key in keys)], rows)}"""
