"""A row of a prepared data set, which is one labelled face clip: its columns are defined here."""

import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
from PIL import Image

from dfjax.data.sources.videos import LabelledVideo

if TYPE_CHECKING:  # at run time it would import jax, which reading rows does not need
    from dfjax.faces.clips import FaceClips

LABELS = ["real", "fake"]
"""Names in the label column. Look labels up by name: class folders elsewhere sort "fake" first."""

_SAME_VIDEOS = {"dfdc-faces": "dfdc"}
"""Data sets whose videos, and with them their groups, are those of another."""

_TEXT, _INT, _FLOAT = (datasets.Value(kind) for kind in ("string", "int32", "float64"))


def _column(
    feature: Any,
    *,
    name: str | None = None,
    to_file: Callable[[Any], Any] = lambda value: value,
    from_file: Callable[[Any], Any] = lambda value: value,
) -> Any:
    """Returns a dataclass field that is stored as a column.

    Args:
      feature: The column's type.
      name: Name of the column; None: the field's name.
      to_file: Converts the field's value to the column's.
      from_file: Converts it back.
    """
    return dataclasses.field(
        metadata={"feature": feature, "name": name, "to_file": to_file, "from_file": from_file}
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipInfo:
    """What is known about a face clip, without its pictures."""

    dataset: str = _column(_TEXT)
    method: str = _column(_TEXT)  # how it was manipulated, or where a real one comes from
    compression: str = _column(_TEXT)
    video_id: str = _column(_TEXT)
    split: str = _column(_TEXT)
    source_ids: tuple[str, ...] = _column(  # of the people in the video
        datasets.List(_TEXT), to_file=list, from_file=tuple
    )
    group: str = _column(_TEXT)  # identities that stay in one split; unique across data sets
    original_id: str = _column(_TEXT)  # of a fake: video_id of the real video; else ""
    is_fake: int = _column(  # 0 = real, 1 = fake
        datasets.ClassLabel(names=LABELS),
        name="label",
        to_file=lambda is_fake: LABELS[is_fake],
        from_file=LABELS.index,
    )
    track_id: int = _column(_INT)
    num_frames: int = _column(_INT)  # sampled from the video; 1: a still
    width: int = _column(_INT)  # pixels of the video, as displayed
    height: int = _column(_INT)
    fps: float = _column(_FLOAT)  # frames per second; 0.0 for a still
    duration: float = _column(_FLOAT)  # seconds; 0.0 for a still
    attributes: Mapping[str, Any] = _column(  # further columns of the source, as a JSON object
        _TEXT,
        to_file=lambda values: json.dumps(dict(values), ensure_ascii=False, sort_keys=True),
        from_file=lambda text: json.loads(text or "{}"),
    )
    frame_indices: np.ndarray = _column(  # int64 [n], into the sampled frames
        datasets.List(_INT), from_file=lambda values: np.array(values, np.int64)
    )
    timestamps: np.ndarray = _column(  # float64 [n], seconds
        datasets.List(_FLOAT), from_file=lambda values: np.array(values, np.float64)
    )
    boxes_xyxy: np.ndarray = _column(  # int64 [n, 4], pixels of the video
        datasets.List(datasets.List(_INT, length=4)),
        from_file=lambda values: np.array(values, np.int64),
    )

    @property
    def video(self) -> str:
        """A name for the video that is unique across data sets and methods."""
        return "/".join((self.dataset, self.method, self.compression, self.video_id))

    @property
    def face_area(self) -> float:
        """Area of the face boxes in pixels, summed over frames."""
        return float((self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]).prod(axis=1).sum())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipRow(ClipInfo):
    """One face clip with its label and its pictures."""

    landmarks: np.ndarray = _column(  # float32 [n, 5, 2], xy in pixels of the crop
        datasets.List(datasets.List(datasets.Value("float32"), length=10)),
        to_file=lambda landmarks: landmarks.reshape(-1, 10),
        from_file=lambda values: decode_landmarks(values),
    )
    frames: np.ndarray = _column(  # uint8 [n, S, S, 3] RGB; PNG, exactly what the app would score
        datasets.List(datasets.Image()),
        to_file=lambda frames: [{"bytes": _png(frame), "path": None} for frame in frames],
        from_file=lambda frames: decode_frames(frames),
    )

    def to_file(self) -> dict[str, Any]:
        """Returns the row in the form that `FEATURES` describes."""
        row = {name: write(getattr(self, field)) for name, field, write, _ in _columns(ClipRow)}
        # In the file a group is unique only within its data set, whose name is another column.
        return {**row, "group": self.group.removeprefix(group_name(self.dataset, ""))}


def _columns(kind: type[ClipInfo]) -> Iterator[tuple[str, str, Callable, Callable]]:
    """Yields each column's name, its field, and its `to_file` and `from_file`."""
    for field in dataclasses.fields(kind):
        details = field.metadata
        yield details["name"] or field.name, field.name, details["to_file"], details["from_file"]


def _features() -> datasets.Features:
    fields = {field.name: field.metadata["feature"] for field in dataclasses.fields(ClipRow)}
    return datasets.Features({name: fields[field] for name, field, *_ in _columns(ClipRow)})


FEATURES = _features()
"""The columns of a prepared data set."""

PICTURE_COLUMNS = sorted({*FEATURES} - {name for name, *_ in _columns(ClipInfo)})
"""The columns that `ClipInfo` leaves out."""


def clip_info(row: Mapping[str, Any], label: datasets.ClassLabel) -> ClipInfo:
    """Returns a row of `open_rows` without its pictures.

    Args:
      row: The row as the data set gives it; the pictures may be missing.
      label: The data set's label column, whose names say what its numbers mean.
    """
    return ClipInfo(**_from_file(ClipInfo, row, label))


def clip_row(row: Mapping[str, Any], label: datasets.ClassLabel) -> ClipRow:
    """Returns a row of `open_rows` with its pictures decoded.

    Args:
      row: The row as the data set gives it.
      label: As for `clip_info`.
    """
    return ClipRow(**_from_file(ClipRow, row, label))


def _from_file(
    kind: type[ClipInfo], row: Mapping[str, Any], label: datasets.ClassLabel
) -> dict[str, Any]:
    named = {**row, "label": label.int2str(row["label"])}
    values = {field: read(named[name]) for name, field, _, read in _columns(kind)}
    return {**values, "group": group_name(row["dataset"], row["group"])}


def group_name(dataset: str, group: str) -> str:
    """Returns a group's name, unique across data sets but for those that show the same videos."""
    return f"{_SAME_VIDEOS.get(dataset, dataset)}/{group}"


def rows_of(video: LabelledVideo, read: "FaceClips") -> Iterator[ClipRow]:
    """Yields the clips that were read from a labelled video, one per face."""
    for clip in read.clips:
        yield ClipRow(
            dataset=video.dataset,
            method=video.method,
            compression=video.compression,
            video_id=video.video_id,
            split=video.split,
            source_ids=video.source_ids,
            group=group_name(video.dataset, video.group),
            original_id=video.original_id,
            is_fake=int(video.is_fake),
            track_id=clip.track_id,
            num_frames=len(read.timestamps),
            width=read.info.width,
            height=read.info.height,
            fps=read.info.fps,
            duration=read.info.duration,
            attributes=video.attributes,
            frame_indices=clip.frame_indices,
            timestamps=read.timestamps[clip.frame_indices],
            boxes_xyxy=clip.boxes_xyxy,
            landmarks=clip.landmarks,
            frames=clip.frames,
        )


def decode_landmarks(landmarks: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns the landmarks of one row as float32 [n, 5, 2], xy in pixels of the crop.

    Args:
      landmarks: [n, 10], as `open_rows` gives them.
    """
    return np.array(landmarks, np.float32).reshape(-1, 5, 2)


def decode_frames(frames: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Returns the pictures of one row as uint8 [n, S, S, 3] RGB.

    Args:
      frames: As `open_rows` gives them: dicts with the file's `bytes`.
    """
    image = datasets.Image()
    return np.stack(
        [np.asarray(image.decode_example(dict(frame)).convert("RGB")) for frame in frames]
    )


def _png(frame: np.ndarray) -> bytes:
    """Returns a crop as PNG, lossless: training sees exactly what the app sees."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
