from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.evaluation.distortions import DISTORTIONS, EVERYDAY, UNCHANGED, Distortion
from dfjax.video.reading import probe, read_frames
from tests.videos import portrait_frames, run_ffmpeg, write_video

CONFIG = VideoConfig(num_frames=2)
SIZE = (240, 320)


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("distortions")
    return write_video(folder / "portrait.mp4", portrait_frames(3, SIZE), arguments=["-crf", "10"])


def _first_frame(path: Path) -> np.ndarray:
    _, frame = next(iter(read_frames(path, CONFIG)))
    return frame


def _change(distortion: Distortion, portrait: Path, folder: Path) -> float:
    """Returns the mean absolute difference that a distortion makes, seen at the full size."""
    frame = Image.fromarray(_first_frame(distortion.apply(portrait, folder)))
    height, width = SIZE
    seen = np.asarray(frame.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return float(np.abs(seen - _first_frame(portrait)).mean())


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_the_hardest_severity_changes_more_than_the_mildest(kind, portrait, tmp_path):
    mildest, *_, hardest = DISTORTIONS[kind]
    mild = _change(mildest, portrait, tmp_path)
    assert 0 < mild < _change(hardest, portrait, tmp_path)


def test_every_kind_has_five_severities_with_names_of_their_own():
    levels = [level for kind in DISTORTIONS.values() for level in kind]
    assert [level.severity for level in levels] == [1, 2, 3, 4, 5] * len(DISTORTIONS)
    names = [level.name for level in (*levels, *EVERYDAY, UNCHANGED)]
    assert len(set(names)) == len(names)


def test_a_distortion_always_gives_the_same_picture(portrait, tmp_path):
    noise = DISTORTIONS["noise"][4]
    first, second = (_first_frame(noise.apply(portrait, tmp_path)).copy() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_unchanged_video_is_the_file_itself(portrait, tmp_path):
    assert UNCHANGED.apply(portrait, tmp_path) == portrait


def _everyday(kind: str) -> Distortion:
    (treatment,) = [t for t in EVERYDAY if t.kind == kind]
    return treatment


def test_a_messenger_makes_large_videos_small_and_leaves_small_ones_their_size(portrait, tmp_path):
    large = write_video(tmp_path / "large.mp4", np.zeros((2, 720, 1280, 3), np.uint8))
    sizes = []
    for path in (large, portrait):
        info = probe(_everyday("messenger").apply(path, tmp_path))
        sizes.append((info.width, info.height))
    assert sizes == [(854, 480), (320, 240)]


def test_a_turned_video_looks_as_before_and_is_stored_on_its_side(portrait, tmp_path):
    turned = _everyday("rotation").apply(portrait, tmp_path)
    difference = _first_frame(turned).astype(int) - _first_frame(portrait)
    assert np.abs(difference).mean() < 4
    stored = tmp_path / "stored.png"
    run_ffmpeg("-noautorotate", "-i", turned, "-frames:v", "1", stored)
    with Image.open(stored) as picture:
        assert picture.size == SIZE  # width is height


def test_low_light_is_dark_and_smoothing_takes_texture_away(portrait, tmp_path):
    before = _first_frame(portrait).astype(np.float64)
    dark = _first_frame(_everyday("low light").apply(portrait, tmp_path))
    smooth = _first_frame(_everyday("smoothing").apply(portrait, tmp_path))
    assert dark.mean() < 0.8 * before.mean()
    texture = [
        np.abs(np.diff(frame.astype(np.float64), axis=1)).mean() for frame in (smooth, before)
    ]
    assert texture[0] < 0.9 * texture[1]
    assert abs(smooth.mean() - before.mean()) < 2


def test_no_scaling_rounds_by_the_instruction_set_of_the_processor():
    every = [*(each for kind in DISTORTIONS.values() for each in kind), *EVERYDAY]
    filters = [text for each in every for text in each.filters(1280, 720)]
    scalings = [text for text in filters if text.startswith("scale=")]
    assert len(scalings) >= 15
    assert all("accurate_rnd" in text and "bitexact" in text for text in scalings)
