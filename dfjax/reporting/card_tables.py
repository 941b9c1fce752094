"""The tables of a model card, from the figures that training recorded."""

from dfjax.data.sources import title
from dfjax.evaluation.metrics import RANKING
from dfjax.evaluation.tables import MEASURES, cell, table
from dfjax.reporting.recorded import Recorded


def measures(report: Recorded) -> str:
    """Returns all figures of videos, of the mean of frames, and of frames."""
    rows = []
    for key, name in MEASURES.items():
        rows.append(
            [
                name,
                cell(report.figure("video", key)),
                cell(report.figure("mean_of_frames", key)) if key in RANKING else "",
                cell(report.figure("frame", key)),
            ]
        )
    over_methods = cell(report.figure("mean_over_methods", "auc"))
    over_datasets = cell(report.figure("mean_over_datasets", "auc"))
    rows.append(["ROC AUC, mean over methods", over_methods, "", ""])
    rows.append(["ROC AUC, mean over data sets", over_datasets, "", ""])
    return table(["", "video", "video, mean of frames", "frame"], rows)


def confusion(report: Recorded) -> str:
    """Returns the counts of verdicts at the threshold."""
    cells = {
        key: report.count("confusion", key)
        for key in ("true_real", "false_fake", "false_real", "true_fake")
    }
    return table(
        ["", "under", "over"],
        [
            ["**real**", cells["true_real"], cells["false_fake"]],
            ["**fake**", cells["false_real"], cells["true_fake"]],
        ],
    )


def operating_points(report: Recorded) -> str:
    """Returns the thresholds of the config, with a sentence before them; nothing without any."""
    rows = [
        [
            f"{point.number('wanted_false_positive_rate'):.0%}",
            f"{point.number('fake_above'):.3f}",
            cell(point.figure("false_positive_rate")),
            cell(point.figure("true_positive_rate")),
        ]
        for point in report.rows("operating_points")
    ]
    if not rows:
        return ""
    header = ["false positives, at most", "threshold", "real called fake", "fakes found"]
    intro = "Thresholds of `config.json` for those who accept other rates; means over data sets:"
    return f"{intro}\n\n{table(header, rows)}\n\n"


def per_method(report: Recorded) -> str:
    """Returns the figures of each method of manipulation."""
    keys = ("auc", "tpr_at_5_percent_fpr")
    rows = [
        [
            row.text("method"),
            title(row.text("dataset")),
            row.text("compression"),
            row.count("fake"),
            *(cell(row.figure(key)) for key in keys),
        ]
        for row in report.rows("per_method")
    ]
    header = ["method", "data set", "compression", "fakes", *(MEASURES[key] for key in keys)]
    return table(header, rows)


def per_setting(report: Recorded) -> str:
    """Returns the AUC of each data set and compression."""
    rows = [
        [
            title(row.text("dataset")),
            compression,
            row.count("real"),
            row.count("fake"),
            row.count("groups"),
            cell(row.figure("auc")),
        ]
        for row, compression in (
            *((row, "all") for row in report.rows("per_dataset")),
            *((row, row.text("compression")) for row in report.rows("per_compression")),
        )
    ]
    header = ["data set", "compression", "real", "fake", "groups", MEASURES["auc"]]
    return table(header, rows)


def failures(report: Recorded) -> str:
    """Returns in words what became of the videos without a score."""
    failures = report.at("failures")
    if failures.flat().get("known") is not True:
        return f"How many videos gave no score is not known: {failures.text('reason')}."
    wrong = cell(failures.figure("counted_as_wrong", "auc"))
    return (
        f"Left out of these are {failures.count('no_face')} videos without a face and "
        f"{failures.count('unreadable')} that could not be read. Counted as told wrongly, they "
        f"make the AUC {wrong}."
    )


def splits(record: Recorded) -> str:
    """Returns the counts of the two splits."""
    keys = ("videos", "clips", "real", "fake", "groups")
    return table(
        ["split", "videos and pictures", "clips", "real", "fake", "identity groups"],
        [
            [split, *(record.count("data", split, key) for key in keys)]
            for split in ("train", "validation")
        ],
    )
