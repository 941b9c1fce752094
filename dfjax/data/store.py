"""Reads prepared clips in any order, a few frames at a time."""

from collections.abc import Sequence

import datasets
import numpy as np
import pyarrow as pa

from dfjax.data.clip_row import (
    PICTURE_COLUMNS,
    ClipInfo,
    clip_info,
    decode_frames,
    decode_landmarks,
)
from dfjax.data.prepared import open_rows, refuse_another_source, refuse_repeated


class ClipStore:
    """The clips of one split of some prepared data sets: one per video, of its main face.

    A label applies to the whole video, but if two people are in view, only one was swapped. The
    main face is the one with the largest area summed over the video. Files stay memory-mapped: only
    the fields of `ClipInfo` are held in memory. Reading from several threads is safe.
    """

    def __init__(self, sources: Sequence[str], split: str):
        """Opens the data sets.

        Args:
          sources: As for `open_rows`.
          split: Such as "train".

        Raises:
          DatasetError: As for `open_rows`; or a data set is given twice, or two share a video.
        """
        refuse_repeated(sources)
        self._tables: list[datasets.Dataset] = []
        source_of: dict[str, str] = {}
        main: dict[str, tuple[ClipInfo, tuple[int, int]]] = {}
        for number, source in enumerate(sources):
            rows = open_rows(source, split)
            label: datasets.ClassLabel = rows.features["label"]
            described = rows.remove_columns(PICTURE_COLUMNS).with_format(None)
            for place, row in enumerate(described):
                clip = clip_info(row, label)
                refuse_another_source(source_of, clip.video, source)
                if clip.video not in main or clip.face_area > main[clip.video][0].face_area:
                    main[clip.video] = clip, (number, place)
            self._tables.append(rows.select_columns(PICTURE_COLUMNS))
        self.clips = tuple(clip for clip, _ in main.values())
        self._places = [place for _, place in main.values()]

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, row: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns some frames of a clip, uint8 [k,S,S,3] RGB, and their landmarks, [k,5,2] float32.

        Args:
          row: Index into `clips`.
          positions: int [k], indices into the clip's frames.
        """
        table_number, place = self._places[row]
        table: pa.Table = self._tables[table_number][place : place + 1]
        indices = pa.array(positions)
        frames = table["frames"].combine_chunks().flatten().take(indices)
        landmarks = table["landmarks"].combine_chunks().flatten().take(indices).to_pylist()
        return decode_frames(frames.to_pylist()), decode_landmarks(landmarks)
