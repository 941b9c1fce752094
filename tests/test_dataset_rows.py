"""Rows of a data set, judged with `datasets`, streamed or not."""

import io
import json
import math
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pytest
from datasets import Dataset, Video

from dfjax.dataset_rows import judge_rows
from dfjax.errors import DatasetError, VideoError
from dfjax.predictor import Predictor
from dfjax.video.limits import VideoLimits
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_video(folder / "face.mp4", portrait_frames(8))
    write_video(folder / "none.mp4", moving_pattern(8))
    (folder / "broken.mp4").write_text("not a video")
    return folder


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    limits = VideoLimits(max_file_bytes=100_000)
    return Predictor(tiny_detector(real_below=0.0, fake_above=1.0), limits=limits)


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture(scope="module")
def face(folder, predictor):
    return predictor(folder / "face.mp4")


@pytest.mark.parametrize("is_streamed", [False, True])
def test_each_row_has_its_answer_and_a_bad_file_loses_none_of_the_others(
    folder, predictor, face, is_streamed
):
    names = ["broken.mp4", "face.mp4", "missing.mp4", "none.mp4"]
    dataset = Dataset.from_dict({"video": [str(folder / name) for name in names], "of": names})
    dataset = dataset.cast_column("video", Video(decode=False))
    rows: Any
    if is_streamed:
        rows = list(dataset.to_iterable_dataset().map(predictor.batched, batched=True))
    else:
        # Rows are written one by one, and the first ones have no answer.
        judged = dataset.map(predictor.batched, batched=True, batch_size=1, writer_batch_size=1)
        rows = list(judged)
    assert [row["of"] for row in rows] == names
    assert [row["label"] for row in rows] == ["", "uncertain", "", "no_face"]
    assert rows[1]["probability_fake"] == face.probability_fake
    assert all(math.isnan(rows[n]["probability_fake"]) for n in (0, 2, 3))
    said, known = json.loads(rows[1]["prediction"]), json.loads(json.dumps(face.to_dict()))
    assert all(said[name] == known[name] for name in ("frames", "tracks", "video", "model"))
    assert json.loads(rows[3]["prediction"])["probability_fake"] is None
    assert "broken.mp4" in rows[0]["error"] and "no file named" in rows[2]["error"]
    assert rows[1]["error"] == rows[3]["error"] == "" == rows[0]["prediction"]


def test_bytes_and_addresses_are_the_same_file_and_keep_its_name(folder, predictor, face):
    content = (folder / "face.mp4").read_bytes()
    fsspec.filesystem("memory").pipe("/clips/a/face.mp4", content)
    cells = [
        content,
        {"path": "some/where/face.mp4", "bytes": content},
        {"path": "memory://clips/a/face.mp4", "bytes": None},
        folder / "face.mp4",
    ]
    judged = predictor.batched({"clip": cells}, column="clip")
    assert judged["error"] == [""] * 4
    assert judged["probability_fake"] == [face.probability_fake] * 4
    names = [json.loads(text)["video"]["name"] for text in judged["prediction"]]
    assert names == ["video", "face.mp4", "face.mp4", "face.mp4"]


def test_what_cannot_be_fetched_is_an_error_of_its_row(predictor):
    fsspec.filesystem("memory").pipe("/clips/large.mp4", bytes(200_000))
    cells = [None, "memory://clips/gone.mp4", "nosuch://clip.mp4", "memory://clips/large.mp4"]
    errors = predictor.batched({"video": cells})["error"]
    for error, words in zip(
        errors, ("no file in this row", "gone.mp4", "nosuch", "limit is"), strict=True
    ):
        assert words in error


@pytest.mark.parametrize("name", ["../../x.mp4", "..", "a\0b.mp4", "x" * 400 + ".mp4", "a/"])
def test_a_name_in_a_data_set_leads_nowhere_else(folder, predictor, name):
    content = (folder / "broken.mp4").read_bytes()
    (error,) = predictor.batched({"video": [{"path": name, "bytes": content}]})["error"]
    assert error.endswith(predictor.batched({"video": [content]})["error"][0].partition(" ")[2])


@pytest.mark.parametrize("name", ["影" * 150, "\ud800影" * 90, "x" * 300])
def test_a_name_too_long_for_a_file_keeps_its_end(name):
    seen: list[str] = []

    def judge(path):
        seen.append(Path(path).name)
        raise VideoError("not a video")

    judge_rows({"video": [{"bytes": b"x", "path": f"{name}.mp4"}]}, "video", judge, max_bytes=9)
    (found,) = seen
    assert found.endswith(f"{name[-1] * 60}.mp4") and len(found.encode()) <= 200


def test_what_follows_the_path_of_a_signed_address_is_in_no_answer(monkeypatch):
    address = "https://host/in/clip.mp4?expires=1&signature=secret#t=1"

    def judge(path):
        raise VideoError(f"{Path(path).name} is no video.")

    def refuse(address, mode):
        raise OSError(f"403, message='Forbidden', url='{address.replace('=', '%3D')}'")

    def errors(*cells):
        return judge_rows({"video": cells}, "video", judge, max_bytes=9)["error"]

    monkeypatch.setattr(fsspec, "open", lambda address, mode: io.BytesIO(b"x"))
    cells = address, {"path": address, "bytes": b"x"}, {"path": "in/what?.mp4", "bytes": b"x"}
    assert errors(*cells) == ["clip.mp4 is no video."] * 2 + ["what?.mp4 is no video."]
    monkeypatch.setattr(fsspec, "open", refuse)
    for cell in (address, f"simplecache::{address}"):
        (error,) = errors(cell)
        assert "https://host/in/clip.mp4 could not be fetched: 403, message='Forbidden'" in error
        assert "secret" not in error and "signature" not in error


@pytest.mark.parametrize("query", ["", "?signature=secret"])
def test_an_address_where_nothing_is_any_more_is_said_to_be_one(predictor, query):
    (error,) = predictor.batched({"video": [f"memory://gone.mp4{query}"]})["error"]
    assert "could not be fetched: nothing is there. Check" in error and "expand" not in error


def test_a_column_that_is_not_there_or_holds_decoded_videos_is_named(predictor):
    with pytest.raises(DatasetError, match=r"no column 'video', but 'clip'.*fn_kwargs"):
        predictor.batched({"clip": ["a.mp4"]})
    with pytest.raises(DatasetError, match=r"holds ndarray.*Video\(decode=False\)"):
        predictor.batched({"video": [np.zeros((1, 4, 4, 3), np.uint8)]})


def test_a_label_that_the_rows_already_have_is_not_overwritten(predictor):
    with pytest.raises(DatasetError, match=r"'label'.*rename_column"):
        predictor.batched({"video": ["a.mp4"], "label": [1]})
