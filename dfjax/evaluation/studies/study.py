"""The interface of a study: its inputs, its result and how that is shown."""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from matplotlib.figure import Figure

from dfjax.config import CalibrationConfig, Config
from dfjax.data.clip_row import ClipRow
from dfjax.data.sources import LabelledVideo
from dfjax.evaluation.scoring import ScoredClip

OnProgress = Callable[[str, int, int | None], None]
"""Called with the name of the stage, the amount done, and the total if known."""


class ScoreFunction(Protocol):
    """Scores clips with the detector being measured."""

    def __call__(self, rows: Iterable[ClipRow], stage: str | None = None) -> list[ScoredClip]:
        """Returns the clips with their logits, in order.

        Args:
          rows: Prepared clips.
          stage: Name under which progress is reported; None: the caller reports it.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyContext:
    """The detector and the data that a study measures."""

    score: ScoreFunction
    config: Config  # of the detector
    scored: Sequence[ScoredClip]  # all clips of the split
    rows: Callable[[], Iterator[ClipRow]]  # the same clips, read again
    sources: Sequence[str]  # prepared data sets, as for `open_rows`
    split: str
    files: Sequence[Sequence[LabelledVideo]] = ()  # per data set, of all splits; empty: not given
    out: Path  # where a study may cache slow results
    fingerprint: str  # of the detector and the data sets
    on_progress: OnProgress = lambda stage, done, total: None

    @property
    def calibration(self) -> CalibrationConfig:
        """The detector's calibration."""
        return self.config.calibration


class Study(abc.ABC):
    """A question about a detector: how it is measured, and how the answer is shown.

    Options of the measurement are fields of the study. The text and the plots depend on the result
    alone, so that a stored report can be shown without knowing the options.
    """

    name: ClassVar[str]
    """The key of its result in `report.json`."""

    optional: ClassVar[bool] = False
    """True: measured only on request."""

    needs_files: ClassVar[bool] = False
    """True: it cannot be measured without the files that the data sets were prepared from."""

    def check(self, files: Sequence[Sequence[LabelledVideo]], split: str) -> None:
        """Checks, before anything is scored, that there will be something to measure.

        Args:
          files: As in `StudyContext`.
          split: As in `StudyContext`.

        Raises:
          DatasetError: There will not.
        """
        del files, split  # most studies take what was prepared

    @abc.abstractmethod
    def measure(self, context: StudyContext) -> Any:
        """Returns the result as JSON values."""

    @abc.abstractmethod
    def section(self, result: Any, split: str) -> str:
        """Returns the section of the report and of the model card, in Markdown.

        Args:
          result: From `measure`, or read back from `report.json`.
          split: Name of the split that was measured.
        """

    def pictures(self, result: Any, caption: str) -> dict[str, Figure]:
        """Returns the plots that the section shows, by file name without suffix.

        Args:
          result: As for `section`.
          caption: Names the data.
        """
        return {}
