import csv
import itertools

import numpy as np
import pytest

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.errors import VideoError
from dfjax.faces.clips import face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.faces.shots import colours, shot_numbers, shots_of, views
from dfjax.video.reading import read_frames
from tests.videos import moving_pattern, portrait_frames


def _recoloured(frames: np.ndarray) -> np.ndarray:
    """Returns frames in the light of another room."""
    return np.clip(frames[..., ::-1] * 0.6 + 60, 0, 255).astype(np.uint8)


def test_people_and_cameras_move_within_a_shot():
    assert set(shot_numbers([*portrait_frames(30)])) == {0}
    assert set(shot_numbers([*portrait_frames(30)[[0, 29, 3]]])) == {0}
    assert set(shot_numbers([*portrait_frames(30, num_faces=2)[::6]])) == {0}


def test_every_cut_begins_a_shot():
    one, other = portrait_frames(4), _recoloured(portrait_frames(4))
    frames = [*one, *other, *moving_pattern(2), *one]
    assert shot_numbers(frames).tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [3] * 4


def test_one_frame_is_one_shot():
    assert shot_numbers([np.zeros((9, 16, 3), np.uint8)]).tolist() == [0]
    assert shots_of([]).tolist() == []


def test_frames_of_one_shot_have_more_than_half_of_their_colours_in_common():
    shares = np.array([[1.0, 0.0], [0.6, 0.4], [0.1, 0.9]])
    assert shots_of([*shares]).tolist() == [0, 0, 1]


def test_colours_differ_by_each_channel():
    def plain(*colour: int) -> np.ndarray:
        return np.full((36, 64, 3), colour, np.uint8)

    frames = [plain(70, 70, 70), plain(120, 70, 70), plain(70, 120, 70), plain(70, 70, 120)]
    for one, other in itertools.combinations(frames, 2):
        assert shot_numbers([one, other]).tolist() == [0, 1]


def test_a_picture_of_another_shape_is_another_view_and_one_of_another_size_is_not():
    sizes = [(240, 320), (480, 640), (270, 480), (271, 480), (480, 270), (240, 135), (320, 240)]
    assert views(sizes).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_whoever_is_at_the_same_place_after_a_cut_is_a_face_of_their_own():
    config = Config(crops=CropConfig(image_size=32))
    frames = [*portrait_frames(8), *_recoloured(portrait_frames(8))]
    found = face_clips(frames, np.arange(16) / 5, config, FaceDetector(config.faces))
    assert [clip.frame_indices.tolist() for clip in found.clips] == [
        [*range(8)],
        [*range(8, 16)],
    ]


@pytest.mark.real_clips
def test_clips_of_two_people_are_two_shots_and_one_clip_is_one(real_clips):
    folder = real_clips / "data" / "people"
    with (folder / "metadata.csv").open() as file:
        rows = {row["identity"]: row for row in csv.DictReader(file) if row["label"] == "real"}
    looks = []
    for row in list(rows.values())[::5]:
        try:
            looks.append(
                [
                    colours(frame)
                    for _, frame in read_frames(
                        folder / row["file_name"], VideoConfig(num_frames=3)
                    )
                ]
            )
        except VideoError:
            continue
    within = [shots_of(look)[-1] > 0 for look in looks]
    across = [
        shots_of([first[0], second[-1]])[-1] > 0
        for first, second in itertools.combinations(looks, 2)
    ]
    assert len(looks) >= 15
    assert np.mean(within) <= 0.1
    assert np.mean(across) >= 0.9
