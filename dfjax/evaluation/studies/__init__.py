"""What is measured in addition to the figures of a split: each study in a file of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from dfjax.evaluation.studies.controls import ControlsStudy
from dfjax.evaluation.studies.partial_fakes import PartialFakesStudy
from dfjax.evaluation.studies.robustness import RobustnessStudy
from dfjax.evaluation.studies.self_blended import SelfBlendedStudy
from dfjax.evaluation.studies.slices import SlicesStudy
from dfjax.evaluation.studies.study import Study
from dfjax.evaluation.studies.worst_errors import WorstErrorsStudy

STUDIES: tuple[Study, ...] = (
    PartialFakesStudy(),
    SelfBlendedStudy(),
    SlicesStudy(),
    WorstErrorsStudy(),
    ControlsStudy(),
    RobustnessStudy(),
)
"""All of them, in the order of their sections."""


def results(report: Mapping[str, Any]) -> Iterator[tuple[Study, Any]]:
    """Yields the studies whose results a report holds, each with its result.

    Args:
      report: What `report.json` holds.
    """
    for study in STUDIES:
        if report.get(study.name) is not None:
            yield study, report[study.name]
