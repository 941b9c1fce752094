import re
from pathlib import Path

import jax
import numpy as np
import pytest
import skimage.data

from dfjax.errors import DfjaxError
from dfjax.page import example_videos
from dfjax.page.example_videos import Example, example_frames, write_examples, write_sample
from dfjax.video.reading import probe, read_frames


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return write_examples(tmp_path_factory.mktemp("examples") / "made")


def test_the_captions_say_which_one_is_manipulated(examples: list[Example]):
    untouched, blended = examples
    assert "untouched" in untouched.caption
    assert "synthetic manipulation" in blended.caption
    assert untouched.path != blended.path


def test_both_are_videos_of_four_seconds(examples: list[Example]):
    for example in examples:
        info = probe(example.path)
        assert (info.width, info.height, info.is_still) == (640, 480, False)
        assert info.fps == pytest.approx(25)
        assert info.duration == pytest.approx(4, abs=0.05)


def test_the_sample_in_the_repository_is_what_the_code_makes_and_is_small(tmp_path: Path):
    shipped = Path(__file__).parents[2] / "docs" / "sample.mp4"
    assert shipped.stat().st_size < 50_000
    write_sample(tmp_path / "sample.mp4")
    pairs = zip(read_frames(shipped), read_frames(tmp_path / "sample.mp4"), strict=True)
    for (time, frame), (made_time, made) in pairs:
        assert time == made_time
        assert np.abs(frame.astype(float) - made).mean() < 1


def test_a_video_shows_the_frames_it_was_made_of(examples: list[Example]):
    for example, manipulated in zip(examples, (False, True), strict=True):
        made = list(example_frames(manipulated, 20))
        for timestamp, frame in read_frames(example.path, timestamps=np.array([0.2, 0.6])):
            expected = made[round(timestamp * 25)]
            assert np.abs(frame.astype(float) - expected).mean() < 3


def test_both_went_through_the_same_encoder(examples: list[Example]):
    # x264 writes its settings into the stream.
    settings = [re.findall(rb"options: [ -~]+", e.path.read_bytes()) for e in examples]
    assert len(settings[0]) == 1
    assert settings[0] == settings[1]


def test_the_same_frames_make_the_same_file(examples: list[Example], tmp_path: Path):
    for again, first in zip(write_examples(tmp_path), examples, strict=True):
        assert again.path.read_bytes() == first.path.read_bytes()


def test_only_the_face_differs():
    for untouched, blended in zip(example_frames(False, 8), example_frames(True, 8), strict=True):
        change = np.abs(untouched.astype(float) - blended).max(axis=-1)
        rows, columns = np.nonzero(change)
        assert change[change > 0].mean() > 5
        assert np.ptp(rows) < 0.5 * 480 and np.ptp(columns) < 0.4 * 640
        # Nothing jumps at the seam.
        assert change[rows.min()].max() < 20 and change[rows.max()].max() < 20


def test_the_camera_moves_gently():
    frames = [frame.astype(float) for frame in example_frames(False, 12)]
    steps = [np.abs(b - a).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert 0.1 < min(steps) and max(steps) < 12


def test_the_portraits_border_never_comes_into_view(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(skimage.data, "astronaut", lambda: np.full((512, 512, 3), 200, np.uint8))
    for frame in example_frames(False):
        assert frame.min() == frame.max() == 200


def test_what_is_there_is_kept_and_what_is_missing_is_made(examples: list[Example], tmp_path: Path):
    kept, missing = (tmp_path / example.path.name for example in examples)
    kept.write_bytes(b"from an earlier start")
    write_examples(tmp_path)
    assert kept.read_bytes() == b"from an earlier start"
    assert missing.read_bytes() == examples[1].path.read_bytes()


@pytest.mark.parametrize(
    "encoder", [["-preset", "nonsense"], ["-bsf:v", "nonsense"]], ids=["x264", "ffmpeg"]
)
def test_a_failing_encoder_is_told_in_its_own_words_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: list[str]
):
    monkeypatch.setattr(example_videos, "_ENCODER", encoder)
    with pytest.raises(DfjaxError, match="(?s)astronaut.mp4.*nonsense.*space on the disk"):
        write_examples(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_making_them_does_not_fork_a_process_that_runs_jax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    jax.devices()  # from now on jax warns of a fork, and a warning is an error here
    monkeypatch.setattr(
        example_videos, "example_frames", lambda blended: example_frames(blended, 2)
    )
    assert all(example.path.is_file() for example in write_examples(tmp_path))
