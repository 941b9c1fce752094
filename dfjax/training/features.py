"""Features of a frozen encoder, computed once: what does not learn need not run every step."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import jax
import numpy as np
from flax import nnx

from dfjax.data.prepared import ClipRow
from dfjax.errors import TrainingError
from dfjax.models.detector import Detector

ENCODER_BATCH = 32
"""Face crops that go through the encoder together."""

OnClip = Callable[[int], None]
"""Called with the number of clips encoded."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureClips:
    """N clips as the temporal part sees them, padded to T frames, with their labels."""

    features: np.ndarray  # float32 [N, T, C]
    frame_mask: np.ndarray  # bool [N, T], True = the face is there
    is_fake: np.ndarray  # int32 [N]
    face_area: np.ndarray  # float64 [N], pixels of the boxes summed over frames
    videos: tuple[str, ...]  # N unique keys; one video has a clip per face
    methods: tuple[str, ...]
    groups: tuple[str, ...]  # identities that no split may part

    def __len__(self) -> int:
        return len(self.videos)

    def main_faces(self) -> Self:
        """Returns one clip per video: the face that fills most of it.

        A label holds for the video; where a second person is in view, only one was swapped.
        """
        largest: dict[str, int] = {}
        for row, video in enumerate(self.videos):
            if video not in largest or self.face_area[row] > self.face_area[largest[video]]:
                largest[video] = row
        rows = sorted(largest.values())
        return dataclasses.replace(
            self,
            features=self.features[rows],
            frame_mask=self.frame_mask[rows],
            is_fake=self.is_fake[rows],
            face_area=self.face_area[rows],
            videos=tuple(self.videos[row] for row in rows),
            methods=tuple(self.methods[row] for row in rows),
            groups=tuple(self.groups[row] for row in rows),
        )


def encode_clips(
    detector: Detector, clips: Iterable[ClipRow], *, on_clip: OnClip | None = None
) -> FeatureClips:
    """Runs the encoder, with its norms' statistics as loaded, over every frame of every clip.

    Args:
      detector: Its encoder and config are used; T is `config.video.num_frames`.
      clips: Prepared clips; they are read one at a time.
      on_clip: Told how far the run is.

    Raises:
      TrainingError: There are no clips, or they are of another size or length than the config's.
    """
    graph, state = nnx.split(detector)
    encode = jax.jit(lambda state, images: nnx.merge(graph, state).encode(images))
    num_frames, size = detector.config.video.num_frames, detector.config.crops.image_size
    columns: dict[str, list] = collections.defaultdict(list)
    pending: list[np.ndarray] = []  # crops that wait for a full batch
    encoded: list[np.ndarray] = []

    def run(count: int) -> None:
        """Encodes the first `count` pending crops, padded to a batch."""
        batch = np.zeros((ENCODER_BATCH, size, size, 3), np.uint8)
        batch[:count] = pending[:count]
        encoded.append(np.asarray(encode(state, batch))[:count])
        del pending[:count]

    for clip in clips:
        if clip.frames.shape[1:] != (size, size, 3) or clip.frame_indices.max() >= num_frames:
            raise TrainingError(
                f"the clip of {clip.video} has crops of {clip.frames.shape[1:3]} pixels and "
                f"{clip.frame_indices.max() + 1} frames; the config says {size} pixels and at most "
                f"{num_frames} frames. Train with the config that the data set was prepared with."
            )
        pending.extend(clip.frames)
        while len(pending) >= ENCODER_BATCH:
            run(ENCODER_BATCH)
        sides = clip.boxes_xyxy[:, 2:] - clip.boxes_xyxy[:, :2]
        columns["face_area"].append(float(sides.prod(axis=1).sum()))
        for name in ("frame_indices", "is_fake", "video", "method", "group"):
            columns[name].append(getattr(clip, name))
        if on_clip is not None:
            on_clip(len(columns["video"]))
    if not columns["video"]:
        raise TrainingError("there are no clips: the data set is empty, or no face was found.")
    if pending:
        run(len(pending))
    features, frame_mask = _pad(np.concatenate(encoded), columns["frame_indices"], num_frames)
    return FeatureClips(
        features=features,
        frame_mask=frame_mask,
        is_fake=np.array(columns["is_fake"], np.int32),
        face_area=np.array(columns["face_area"]),
        videos=tuple(columns["video"]),
        methods=tuple(columns["method"]),
        groups=tuple(columns["group"]),
    )


def _pad(
    rows: np.ndarray, frame_indices: Sequence[np.ndarray], num_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns [N, T, C] features and the [N, T] mask from the rows of all clips together."""
    features = np.zeros((len(frame_indices), num_frames, rows.shape[1]), np.float32)
    frame_mask = np.zeros((len(frame_indices), num_frames), bool)
    start = 0
    for clip, indices in enumerate(frame_indices):
        features[clip, indices] = rows[start : start + len(indices)]
        frame_mask[clip, indices] = True
        start += len(indices)
    return features, frame_mask
