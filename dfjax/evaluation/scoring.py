"""Scores prepared clips in batches with an engine."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from dfjax.augment.colour import LUMA
from dfjax.config import Config
from dfjax.data.clip_row import ClipRow
from dfjax.errors import DatasetError, ModelFormatError
from dfjax.inference.engine import Engine, score_faces
from dfjax.inference.mirroring import mean_logits, mirror, mirrorings
from dfjax.json_values import to_json_value

OnClip = Callable[[int], None]
"""Called with the number of clips scored."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """Properties of a clip's pixels, measured on luma in [0, 255]."""

    sharpness: float  # variance of the crops' Laplacian, mean over frames
    brightness: float  # mean luma

    @classmethod
    def of(cls, frames: np.ndarray) -> Self:
        """Returns the measures of crops, uint8 [n, S, S, 3] RGB."""
        luma = frames.astype(np.float32) @ np.array(LUMA, np.float32)
        around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
        laplacian = around - 4 * luma[:, 1:-1, 1:-1]
        return cls(
            sharpness=float(laplacian.var(axis=(1, 2)).mean()), brightness=float(luma.mean())
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoredClip:
    """A clip without its pixels, with the detector's logits."""

    row: ClipRow  # with empty `frames`
    look: Look
    frame_logits: np.ndarray  # float64 [n], one for each of `row.frame_indices`
    clip_logit: float

    @property
    def face_size(self) -> float:
        """Median over frames of the longer side of the face box, in pixels of the video."""
        sides = self.row.boxes_xyxy[:, 2:] - self.row.boxes_xyxy[:, :2]
        return float(np.median(sides.max(axis=1)))


def main_faces(scored: Iterable[ScoredClip]) -> list[ScoredClip]:
    """Returns one clip per video, that of the largest face, in the order of the videos.

    A label applies to the whole video, but if several people are in view, only one was swapped.
    """
    largest: dict[str, ScoredClip] = {}
    for clip in scored:
        known = largest.get(clip.row.video)
        if known is None or clip.row.face_area > known.row.face_area:
            largest[clip.row.video] = clip
    return list(largest.values())


def require_same_crops(
    model: str,
    config: Config,
    source: str,
    manifest: Mapping[str, Any],
    *,
    fewer_frames: bool = False,
) -> None:
    """Checks that a data set shows what the model sees in the app, where its verdicts are used.

    Args:
      model: Folder or Hub repository of the model, for the error.
      config: The model's.
      source: The data set, for the error.
      manifest: The data set's.
      fewer_frames: Whether it may show fewer frames of a video.

    Raises:
      DatasetError: Its frames or crops were made in another way.
    """
    prepared = Config.from_dict(manifest["config"])
    ignored = {"min_detail"}  # which faces count changes no crop
    if fewer_frames and prepared.video.num_frames < config.video.num_frames:
        ignored.add("num_frames")
    for part in ("video", "crops"):
        ours, theirs = (to_json_value(getattr(of, part)) for of in (config, prepared))
        names = [name for name in ours if name not in ignored and ours[name] != theirs[name]]
        if names:
            found = ", ".join(f"{name} {theirs[name]}" for name in names)
            needed = ", ".join(f"{name} {ours[name]}" for name in names)
            raise DatasetError(
                f"{source} was prepared with {found}; {model} takes {needed}. Prepare the videos "
                f"again with `python -m dfjax prepare ... --model {model}`."
            )


@dataclasses.dataclass(frozen=True)
class _EncodedClip:
    """A clip after the encoder and before the head."""

    row: ClipRow  # without its frames
    look: Look
    features: np.ndarray  # float32 [W, n, C], for each of W ways round


class Scorer:
    """Scores prepared clips with an engine."""

    def __init__(self, engine: Engine, *, mirror_bursts: bool | None = None):
        """Takes the engine.

        Args:
          engine: The engine.
          mirror_bursts: Whether every other burst is mirrored; None: as its calibration says.
        """
        calibration = engine.config.calibration
        self._engine = engine
        self._take_turns = calibration.mirror_bursts if mirror_bursts is None else mirror_bursts

    def __call__(
        self, rows: Iterable[ClipRow], *, on_clip: OnClip | None = None
    ) -> list[ScoredClip]:
        """Returns the clips of `iterate` as a list."""
        return list(self.iterate(rows, on_clip=on_clip))

    def iterate(
        self, rows: Iterable[ClipRow], *, on_clip: OnClip | None = None
    ) -> Iterator[ScoredClip]:
        """Yields the rows' clips with their logits, in order.

        Rows are read one at a time, and their pixels are dropped as soon as they are encoded. Crops
        of different clips share the encoder's batches, which changes a clip's logits by no more
        than rounding.

        Args:
          rows: Prepared clips.
          on_clip: Called with the number of clips scored so far.

        Raises:
          DatasetError: A clip has crops of another size, or more frames, than the detector's config
            says.
          ModelFormatError: A logit is not finite.
        """
        waiting: list[_EncodedClip] = []
        num_scored = 0
        for clip in self._encoded(rows):
            waiting.append(clip)
            if len(waiting) == self._engine.clips_per_batch:
                yield from self._with_logits(waiting)
                num_scored += len(waiting)
                waiting = []
                if on_clip is not None:
                    on_clip(num_scored)
        if waiting:
            yield from self._with_logits(waiting)
            if on_clip is not None:
                on_clip(num_scored + len(waiting))

    def _encoded(self, rows: Iterable[ClipRow]) -> Iterator[_EncodedClip]:
        """Yields the rows with the features of their crops, in order."""
        at_once = self._engine.crops_per_batch
        crops: list[np.ndarray] = []  # waiting for a full batch
        features: list[np.ndarray] = []  # of clips that are only partly encoded
        waiting: collections.deque[tuple[ClipRow, Look, int]] = collections.deque()

        def finished() -> Iterator[_EncodedClip]:
            while waiting:
                row, look, num_ways = waiting[0]
                count = num_ways * len(row.frame_indices)
                if len(features) < count:
                    break
                waiting.popleft()
                of_clip = np.stack(features[:count])
                yield _EncodedClip(row, look, of_clip.reshape(num_ways, -1, of_clip.shape[-1]))
                del features[:count]

        for row in rows:
            self._check(row)
            bursts = np.arange(row.num_frames) // self._engine.config.video.burst_frames
            ways = mirrorings(bursts, take_turns=self._take_turns)
            for mirrored in ways:
                crops.extend(mirror(row.frames, mirrored[row.frame_indices]))
            # An empty copy: a slice would keep all pixels alive.
            bare = dataclasses.replace(row, frames=row.frames[:0].copy())
            waiting.append((bare, Look.of(row.frames), len(ways)))
            while len(crops) >= at_once:
                features.extend(self._engine.encode(np.stack(crops[:at_once])))
                del crops[:at_once]
            yield from finished()
        if crops:
            features.extend(self._engine.encode(np.stack(crops)))
        yield from finished()

    def _check(self, row: ClipRow) -> None:
        config = self._engine.config
        size, num_frames = config.crops.image_size, config.video.num_frames
        if row.frames.shape[1:] != (size, size, 3):
            height, width = row.frames.shape[1:3]
            raise DatasetError(
                f"The clip of {row.video} has crops of {width}x{height} pixels; the model takes "
                f"{size}x{size}. Prepare the data set with --image-size {size}, or use a model "
                f"for {width} pixels."
            )
        if row.frame_indices.max() >= num_frames:
            raise DatasetError(
                f"The clip of {row.video} is from {row.num_frames} sampled frames; the model takes "
                f"at most {num_frames}. Prepare the data set with --num-frames {num_frames}."
            )

    def _with_logits(self, clips: Sequence[_EncodedClip]) -> Iterator[ScoredClip]:
        """Yields the clips with their logits."""
        scored = iter(
            score_faces(
                self._engine,
                [features for clip in clips for features in clip.features],
                [clip.row.frame_indices for clip in clips for _ in clip.features],
            )
        )
        for clip in clips:
            logits = mean_logits([next(scored) for _ in clip.features])
            if not (np.isfinite(logits.frame_logits).all() and np.isfinite(logits.clip_logit)):
                raise ModelFormatError(
                    f"The model's logits of {clip.row.video} are not finite: its weights are "
                    "damaged, or training diverged. Use an earlier checkpoint."
                )
            yield ScoredClip(
                row=clip.row,
                look=clip.look,
                frame_logits=logits.frame_logits.astype(np.float64),
                clip_logit=logits.clip_logit,
            )
