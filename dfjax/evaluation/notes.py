"""What a reader of an evaluation's figures must know, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from dfjax.config import Config
from dfjax.evaluation.thresholds import groups_needed
from dfjax.shown_numbers import threshold_percent

PARQUET_FILE = " (a parquet file)"
"""Ends how a data set was prepared, if it is a lone file."""


def notes(
    figures: Mapping[str, Any], data: Sequence[Mapping[str, Any]], config: Config
) -> list[str]:
    """Returns caveats that a reader of the figures must know.

    Args:
      figures: Those of the evaluation.
      data: Its data sets, as in `report.json`.
      config: That of the model.
    """
    found = known_videos(data)
    if config.calibration.caveat is not None:
        found.append(config.calibration.caveat)
    if config.calibration.false_positive_rate is None:
        found.append("The model was never calibrated: its probabilities and threshold mean little.")
    rate = config.calibration.false_positive_rate
    if rate and all(entry["calibrated_on"] for entry in data):
        needed = groups_needed(rate)
        for row in figures["per_dataset"]:
            if 0 < row["real_groups"] < needed:
                found.append(
                    f"The real videos of {row['dataset']} show {row['real_groups']} groups of "
                    f"people, too few to promise a false-positive rate of "
                    f"{threshold_percent(rate)} for them alone (that takes {needed}). It was "
                    "promised for them and others together."
                )
    if 0 < figures["counts"]["real"] < 100:
        found.append(
            f"With {figures['counts']['real']} real videos, a rate of 1% false positives cannot be "
            "resolved."
        )
    return found


def known_videos(data: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the caveats on data sets whose videos the model was fitted to, or may have been.

    Args:
      data: The data sets of an evaluation, as in `report.json`.
    """
    found = []
    for entry in data:
        if entry["calibrated_on"]:
            found.append(
                f"**The model's calibration and thresholds were fitted on this split of "
                f"{entry['name']}.** Its figures are not a measure of unseen data."
            )
        if entry.get("trained_on"):
            found.append(
                f"**The model was trained on this split of {entry['name']}.** Its figures say "
                "nothing about unseen data."
            )
        if not is_fit_known(entry):
            why = (
                ": its calibration was fitted to data of the same name, prepared in another way"
                if entry.get("may_be_calibrated_on", False)
                else ", a parquet file"
            )
            found.append(f"It is not known whether the model was fitted to {entry['name']}{why}.")
    return found


def is_fit_known(entry: Mapping[str, Any]) -> bool:
    """Returns whether it is known of a data set if the model was fitted to it.

    Data sets are known by their fingerprints. A lone parquet file has one of its own, and so have
    the same videos if they are prepared again with others or in other encodings.

    Args:
      entry: The data set, as in `report.json`.
    """
    is_unknown = entry.get("may_be_calibrated_on", False) or (
        entry.get("prepared_with", "").endswith(PARQUET_FILE)
        and entry["split"] in ("train", "validation")
    )
    return not is_unknown or entry["calibrated_on"] or entry.get("trained_on", False)
