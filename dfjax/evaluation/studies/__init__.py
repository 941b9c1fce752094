"""Studies: measurements in addition to the figures of a split, one module each."""

from collections.abc import Iterator, Mapping
from typing import Any

from dfjax.evaluation.studies.composed import ComposedStudy
from dfjax.evaluation.studies.controls import ControlsStudy
from dfjax.evaluation.studies.heat_maps import HeatMapsStudy
from dfjax.evaluation.studies.mirrored import MirroredStudy
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
    MirroredStudy(),
    RobustnessStudy(),
    ComposedStudy(),
    HeatMapsStudy(),
)
"""All studies, in the order of their sections in a report."""


def results(report: Mapping[str, Any]) -> Iterator[tuple[Study, Any]]:
    """Yields each study that has a result in a report, with that result.

    Args:
      report: The content of `report.json`.
    """
    for study in STUDIES:
        if report.get(study.name) is not None:
            yield study, report[study.name]
