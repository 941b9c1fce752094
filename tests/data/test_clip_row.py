"""Rows of a prepared data set, on their way to a file and back."""

import dataclasses

import datasets
import numpy as np

from dfjax.data.clip_row import FEATURES, ClipInfo, ClipRow, clip_info, group_name
from dfjax.data.prepared import read_clips
from tests.evaluation.clips import clip_row


def _row(**fields) -> ClipRow:
    """Returns a clip whose values differ between frames and are lost if a column rounds them."""
    return clip_row(
        "kate",
        source_ids=("kate", "lea"),
        attributes={"light": "dim", "take": 3},
        original_id="lea",
        fps=29.97,
        duration=4.1,
        frame_indices=np.array([0, 2, 3, 5]),
        timestamps=np.arange(4) / 3,
        boxes_xyxy=np.arange(16).reshape(4, 4),
        landmarks=np.linspace(-1, 33, 40, dtype=np.float32).reshape(4, 5, 2),
        **fields,
    )


def _assert_same(found: ClipInfo, row: ClipInfo) -> None:
    for field in dataclasses.fields(found):
        value, expected = getattr(found, field.name), getattr(row, field.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(value, expected, err_msg=field.name)
            assert value.dtype == expected.dtype, field.name
        else:
            assert value == expected, field.name


def test_what_is_written_is_read_back(tmp_path):
    rows = [_row(is_fake=0), _row(is_fake=1, track_id=1)]
    columns = {name: [row.to_file()[name] for row in rows] for name in FEATURES}
    path = tmp_path / "data" / "validation-00000-of-00001.parquet"
    datasets.Dataset.from_dict(columns, features=FEATURES).to_parquet(path)
    for found, row in zip(read_clips(str(tmp_path), "validation"), rows, strict=True):
        _assert_same(found, row)


def test_labels_are_read_by_the_names_that_the_file_gives_them():
    row = {**_row(is_fake=1).to_file(), "label": 0}
    assert clip_info(row, datasets.ClassLabel(names=["fake", "real"])).is_fake == 1


def test_a_group_is_unique_over_data_sets_but_in_the_file():
    row = _row(group="ffpp/kate")
    assert row.to_file()["group"] == "kate"


def test_the_videos_of_dfdc_are_of_the_same_groups_as_crops_of_them():
    """One set's validation must not be in the other's training."""
    crops = _row(dataset="dfdc-faces", group=group_name("dfdc-faces", "kate"))
    assert crops.group == group_name("dfdc", "kate")
    assert crops.to_file()["group"] == "kate"
