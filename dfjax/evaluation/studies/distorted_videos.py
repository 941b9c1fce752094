"""Scores distorted videos, starting from the file as the app does.

Every video is distorted, then faces are detected, cropped and scored again. Each result is appended
to a file at once, so that an interrupted run continues where it stopped.
"""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dfjax.config import CalibrationConfig, Config
from dfjax.data.clip_row import ClipRow, rows_of
from dfjax.data.sources import LabelledVideo
from dfjax.errors import VideoError
from dfjax.evaluation.distortions import Distortion
from dfjax.evaluation.scores import by_video, video_scores
from dfjax.evaluation.scoring import ScoredClip
from dfjax.evaluation.studies.study import ScoreFunction
from dfjax.faces.clips import read_face_clips
from dfjax.faces.detection import FaceDetector

_VIDEOS_AT_ONCE = 8
"""Number of videos whose crops are held and scored together."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistortedScore:
    """The result for one video under one distortion."""

    key: str
    logit: float | None = None  # of all its faces, before scale and bias; None: no face
    frame_logit: float | None = None  # mean over frames, highest over the faces
    unreadable: bool = False


class DistortedScorer:
    """Scores distorted videos with one detector, and keeps the results in a folder."""

    def __init__(
        self,
        score: ScoreFunction,
        config: Config,
        face_detector: FaceDetector,
        folder: Path,
    ):
        """Takes the detector and the folder for its results.

        Args:
          score: Scores clips with the detector.
          config: The detector's config.
          face_detector: Made from `config.faces`.
          folder: Used for this detector and these videos only; created if missing.
        """
        self._score_clips, self._config = score, config
        self._face_detector = face_detector
        self.folder = folder

    def outcomes(
        self,
        videos: Sequence[LabelledVideo],
        distortion: Distortion,
        on_video: Callable[[int], None],
    ) -> list[DistortedScore]:
        """Returns the result for each video; videos with a stored result are not done again.

        Those that could not be read are: the disk may have been full, or the memory.

        Args:
          videos: One file each.
          distortion: Applied to every video.
          on_video: Called with the number of videos done.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{distortion.name.replace(' ', '_')}.jsonl"
        known = {outcome.key: outcome for outcome in _read(path) if not outcome.unreadable}
        waiting = [video for video in videos if video.key not in known]
        on_video(len(videos) - len(waiting))
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")  # the last line may have been cut off
            for start in range(0, len(waiting), _VIDEOS_AT_ONCE):
                batch = waiting[start : start + _VIDEOS_AT_ONCE]
                for outcome in self._score(batch, distortion):
                    known[outcome.key] = outcome
                    file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
                file.flush()
                on_video(len(videos) - len(waiting) + start + len(batch))
        return [known[video.key] for video in videos]

    def _score(
        self, videos: Sequence[LabelledVideo], distortion: Distortion
    ) -> list[DistortedScore]:
        rows: list[ClipRow] = []
        unreadable: set[str] = set()
        for video in videos:
            try:
                rows += self._rows(video, distortion)
            except VideoError:
                unreadable.add(video.key)
        faces = by_video(self._score_clips(rows))
        return [
            DistortedScore(
                key=video.key,
                logit=self._logit(clips) if clips else None,
                frame_logit=max((float(clip.frame_logits.mean()) for clip in clips), default=None),
                unreadable=video.key in unreadable,
            )
            for video in videos
            for clips in [faces.get(video.key, [])]
        ]

    def _logit(self, clips: Sequence[ScoredClip]) -> float:
        calibration = CalibrationConfig(evidence=self._config.calibration.evidence)
        return float(video_scores(clips, calibration).logits[0])

    def _rows(self, video: LabelledVideo, distortion: Distortion) -> list[ClipRow]:
        with tempfile.TemporaryDirectory() as folder:
            changed = distortion.apply(video.path, Path(folder))
            return list(rows_of(video, read_face_clips(changed, self._config, self._face_detector)))


def _read(path: Path) -> Iterator[DistortedScore]:
    """Yields the results of an earlier run.

    Skips lines that were cut off, and those of an earlier version with other fields.
    """
    if not path.exists():
        return
    names = {field.name for field in dataclasses.fields(DistortedScore)}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and set(values) == names:
            yield DistortedScore(**values)
