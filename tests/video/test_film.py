import numpy as np
import pytest

from dfjax.errors import VideoError
from dfjax.video.film import NUM_FRAMES, film
from dfjax.video.reading import probe, read_frames
from tests.videos import moving_pattern


def _filmed(tmp_path, picture, *, crf=18, seed=0) -> tuple[np.ndarray, np.ndarray]:
    transforms = film(picture, tmp_path / "film.mp4", crf=crf, seed=seed)
    return transforms, np.stack([frame for _, frame in read_frames(tmp_path / "film.mp4")])


def test_the_frames_show_the_picture_where_the_transforms_say(tmp_path):
    places = np.array([[60, 50], [180, 70], [110, 150]])
    picture = np.zeros((200, 240, 3), np.uint8)
    for x, y in places:
        picture[y - 4 : y + 4, x - 4 : x + 4] = 255
    for seed in range(4):
        transforms, frames = _filmed(tmp_path, picture, seed=seed)
        assert len(frames) == len(transforms) == NUM_FRAMES
        for transform, frame in zip(transforms, frames, strict=True):
            for x, y in places @ transform[:, :2].T + transform[:, 2]:
                near = frame[round(y) - 7 : round(y) + 7, round(x) - 7 : round(x) + 7, 0]
                rows, columns = np.nonzero(near > 100)
                assert abs(rows.mean() + 0.5 - 7 + round(y) - y) < 1
                assert abs(columns.mean() + 0.5 - 7 + round(x) - x) < 1


def test_the_camera_never_sees_past_the_edge_of_the_picture(tmp_path):
    for seed in range(8):
        _, frames = _filmed(tmp_path, np.full((100, 300, 3), 200, np.uint8), seed=seed)
        assert frames.min() > 190


def test_the_camera_moves_and_each_seed_in_another_way(tmp_path):
    picture = moving_pattern(1, 128, 128)[0]
    paths = [_filmed(tmp_path, picture, seed=seed)[0] for seed in range(4)]
    assert all(np.abs(np.diff(path[:, :, 2], axis=0)).max() > 0.2 for path in paths)
    assert len({path.tobytes() for path in paths}) == 4
    assert np.array_equal(_filmed(tmp_path, picture, seed=2)[0], paths[2])


def test_a_film_is_h264_of_even_sides_and_no_larger_than_the_picture(tmp_path):
    for seed in range(4):
        _filmed(tmp_path, moving_pattern(1, 101, 75)[0], seed=seed)
        info = probe(tmp_path / "film.mp4")
        assert info.codec == "h264"
        assert info.width % 2 == info.height % 2 == 0
        assert max(info.width, info.height) <= 101


def test_a_higher_rate_factor_takes_away_more(tmp_path):
    picture = moving_pattern(1, 128, 128)[0]
    fine, coarse = (_filmed(tmp_path, picture, crf=crf)[1].astype(float) for crf in (20, 40))
    best = _filmed(tmp_path, picture, crf=1)[1].astype(float)
    assert np.mean((fine - best) ** 2) < np.mean((coarse - best) ** 2)


def test_a_picture_that_is_too_small_is_refused(tmp_path):
    with pytest.raises(VideoError, match="20x40; filming needs at least 32x32"):
        film(np.zeros((40, 20, 3), np.uint8), tmp_path / "film.mp4", crf=23, seed=0)
