"""Prepared clips that are read in any order, a few frames at a time."""

import dataclasses
from collections.abc import Sequence

import datasets
import numpy as np
import pyarrow as pa

from dfjax.data.prepared import decode_frames, open_rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredClip:
    """What is known of a clip without reading its pictures."""

    dataset: str
    method: str  # how it was manipulated, or where a real one is from
    compression: str
    video_id: str
    original_id: str  # video_id of the real video that a fake was made from, or ""
    group: str  # identities that no split may part; unique over data sets
    is_fake: bool
    num_frames: int  # sampled from the video; 1: a still
    frame_indices: np.ndarray  # int64 [n], into the sampled frames
    face_area: float  # pixels of the boxes, summed over frames

    @property
    def video(self) -> str:
        """A name of the video that is unique over data sets and methods."""
        return "/".join((self.dataset, self.method, self.compression, self.video_id))


class ClipStore:
    """The clips of one split of some prepared data sets, one per video: that of its main face.

    A label holds for the video; where a second person is in view, only one was swapped. The main
    face is the one that fills most of the video. Files stay memory-mapped: nothing is held but what
    `StoredClip` names. Reading is safe from several threads.
    """

    def __init__(self, sources: Sequence[str], split: str):
        """Opens the data sets.

        Args:
          sources: As for `open_rows`.
          split: Such as "train".

        Raises:
          DatasetError: As for `open_rows`.
        """
        self._tables: list[datasets.Dataset] = []
        main: dict[str, tuple[StoredClip, tuple[int, int]]] = {}
        for number, source in enumerate(sources):
            rows = open_rows(source, split)
            label: datasets.ClassLabel = rows.features["label"]
            described = rows.remove_columns(["frames", "landmarks"]).with_format(None)
            for place, row in enumerate(described):
                clip = _stored(row, label)
                if clip.video not in main or clip.face_area > main[clip.video][0].face_area:
                    main[clip.video] = clip, (number, place)
            self._tables.append(rows.select_columns(["frames", "landmarks"]))
        self.clips = tuple(clip for clip, _ in main.values())
        self._places = [place for _, place in main.values()]

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, row: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns some frames of a clip, uint8 [k,S,S,3] RGB, and their landmarks, [k,5,2] float32.

        Args:
          row: Of `clips`.
          positions: int [k], into the clip's frames.
        """
        table_number, place = self._places[row]
        table: pa.Table = self._tables[table_number][place : place + 1]
        indices = pa.array(positions)
        frames = table["frames"].combine_chunks().flatten().take(indices)
        landmarks = table["landmarks"].combine_chunks().flatten().take(indices).to_pylist()
        return (
            decode_frames(frames.to_pylist()),
            np.array(landmarks, np.float32).reshape(-1, 5, 2),
        )


def _stored(row: dict, label: datasets.ClassLabel) -> StoredClip:
    boxes = np.array(row["boxes_xyxy"], np.float64)
    return StoredClip(
        dataset=row["dataset"],
        method=row["method"],
        compression=row["compression"],
        video_id=row["video_id"],
        original_id=row["original_id"],
        group=f"{row['dataset']}/{row['group']}",
        is_fake=label.int2str(row["label"]) == "fake",
        num_frames=row["num_frames"],
        frame_indices=np.array(row["frame_indices"], np.int64),
        face_area=float((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).sum()),
    )
