"""Turns scored clips into scores of videos and frames, as in the app."""

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import Self

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.data.clip_row import group_name
from dfjax.data.sources import LabelledVideo
from dfjax.evaluation.scoring import ScoredClip
from dfjax.faces.voting import left_out
from dfjax.inference.evidence import Evidence, FaceFrames, evidence_of, video_logit
from dfjax.inference.probabilities import calibrated_frame_logits, probabilities
from dfjax.models.evaluation_file import RE_ENCODED


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """N videos, or frames of videos, with one calibrated logit each."""

    videos: np.ndarray  # str [N], unique across data sets and methods
    datasets: np.ndarray  # str [N]
    methods: np.ndarray  # str [N]
    compressions: np.ndarray  # str [N]; all re-encoded versions share a name, whatever their CRF
    groups: np.ndarray  # str [N]; videos of one group share identities
    is_fake: np.ndarray  # int64 [N]
    logits: np.ndarray  # float64 [N]

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def probabilities(self) -> np.ndarray:
        """Returns `probability_fake`, float64 [N]."""
        return probabilities(self.logits)

    def counts(self) -> dict[str, int]:
        """Returns the numbers of videos, of real and fake ones, and of groups."""
        return {
            "videos": len(set(self.videos.tolist())),
            "real": len(set(self.videos[self.is_fake == 0].tolist())),
            "fake": len(set(self.videos[self.is_fake == 1].tolist())),
            "groups": len(set(self.groups.tolist())),
        }

    def take(self, rows: np.ndarray) -> Self:
        """Returns a subset of the N, by index or by mask."""
        columns = {f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)}
        return type(self)(**columns)

    @property
    def settings(self) -> list[tuple[str, str]]:
        """Returns the pairs of data set and compression that occur, sorted."""
        return sorted(set(zip(self.datasets.tolist(), self.compressions.tolist(), strict=True)))


def video_scores(scored: Sequence[ScoredClip], calibration: CalibrationConfig) -> Scores:
    """Returns the score of each video from the evidence of its faces, as in the app.

    Faces that are hardly seen have no say while others are seen well.

    Args:
      scored: All clips of the videos.
      calibration: Its thresholds are not used.
    """
    clips_of = by_video(heard_clips(scored))
    logits = [
        video_logit([_evidence(clip, calibration) for clip in clips], calibration)
        for clips in clips_of.values()
    ]
    return _table([clips[0] for clips in clips_of.values()], np.array(logits))


def heard_clips(scored: Sequence[ScoredClip]) -> list[ScoredClip]:
    """Returns the clips of faces that have a say in the verdict on their video, as in the app."""
    heard = []
    for clips in by_video(scored).values():
        rows = [clip.row for clip in clips]
        reasons = left_out(rows, [row.num_frames for row in rows])
        heard += [clip for clip, reason in zip(clips, reasons, strict=True) if reason is None]
    return heard


def _evidence(clip: ScoredClip, calibration: CalibrationConfig) -> Evidence:
    face = FaceFrames(clip.frame_logits, clip.clip_logit, clip.row.timestamps)
    return evidence_of(face, calibration)


def mean_of_frames(scored: Sequence[ScoredClip], calibration: CalibrationConfig) -> Scores:
    """Returns the baseline without the LSTM, for the same videos as `video_scores`.

    A clip's logit is the mean of its frame logits; all else is as there.
    """
    without = [
        dataclasses.replace(clip, clip_logit=float(clip.frame_logits.mean())) for clip in scored
    ]
    return video_scores(without, calibration)


def frame_scores(scored: Sequence[ScoredClip], calibration: CalibrationConfig) -> Scores:
    """Returns one score per sampled time with a face: the highest over the faces."""
    rows, logits = [], []
    for clips in by_video(scored).values():
        highest: dict[int, float] = {}
        for clip in clips:
            for index, logit in zip(clip.row.frame_indices, clip.frame_logits, strict=True):
                highest[int(index)] = max(highest.get(int(index), -np.inf), float(logit))
        rows += [clips[0]] * len(highest)
        logits += highest.values()
    return _table(rows, calibrated_frame_logits(np.array(logits), calibration))


def scores_of_files(videos: Sequence[LabelledVideo], logits: np.ndarray) -> Scores:
    """Returns `Scores` for videos that were scored from their files, without being prepared.

    Args:
      videos: N videos.
      logits: float64 [N].
    """
    return Scores(
        videos=np.array([v.key for v in videos], str),
        datasets=np.array([v.dataset for v in videos], str),
        methods=np.array([v.method for v in videos], str),
        compressions=np.array([compression_name(v.compression) for v in videos], str),
        groups=np.array([group_name(v.dataset, v.group) for v in videos], str),
        is_fake=np.array([v.is_fake for v in videos], np.int64),
        logits=logits,
    )


def by_video(scored: Sequence[ScoredClip]) -> dict[str, list[ScoredClip]]:
    """Returns the clips of each video, in the order in which the videos first appear."""
    clips_of = collections.defaultdict(list)
    for clip in scored:
        clips_of[clip.row.video].append(clip)
    return dict(clips_of)


def compression_name(compression: str) -> str:
    """Returns the name under which a compression is counted in the figures.

    `prepare` draws the CRF and the size of a re-encoded version per group of identities:
    "c23-crf31" or "c23-crf31-480p", or "jpeg-film-crf31" for a film of a picture. Each value is too
    rare to be reported separately, and the real and fake videos of a group share it.
    """
    filmed = re.sub(r"-film-crf\d+$", " filmed", compression)
    return re.sub(r"-crf\d+(-\d+p)?$", f" {RE_ENCODED}", filmed)


def _table(clips: Sequence[ScoredClip], logits: np.ndarray) -> Scores:
    def column(name: str) -> np.ndarray:
        return np.array([getattr(clip.row, name) for clip in clips], dtype=str)

    return Scores(
        videos=column("video"),
        datasets=column("dataset"),
        methods=column("method"),
        compressions=np.array([compression_name(clip.row.compression) for clip in clips], str),
        groups=column("group"),
        is_fake=np.array([clip.row.is_fake for clip in clips], np.int64),
        logits=np.asarray(logits, np.float64),
    )
