import base64
import dataclasses
import io
import json
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

from dfjax.errors import VideoError
from dfjax.page.player import NUM_MOMENTS, file_key, frames_at, moments, player
from dfjax.prediction import Segment
from dfjax.video.limits import VideoLimits
from tests.page.samples import sample_prediction
from tests.videos import frame_number, moving_pattern, write_video

LIMITS = VideoLimits()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(
        tmp_path_factory.mktemp("digest") / "a clip.avi", moving_pattern(50), codec="mjpeg"
    )


def test_uploads_of_another_content_or_name_have_another_key():
    keys = [file_key(f"/uploads/{d}/{n}") for d in ("aa", "bb") for n in ("x.mp4", "y.mp4")]
    assert len(set(keys)) == 4
    assert file_key("/elsewhere/aa/x.mp4") == keys[0]


def test_every_face_has_a_box_and_the_screen_has_the_shape_of_the_picture():
    prediction = sample_prediction("fake")
    shown = player(prediction)
    assert re.findall(r'class="df-box [^"]*" data-track="(\d)"', shown) == ["0", "1"]
    assert "--ratio:1280 / 720" in shown
    assert "data-still" not in shown
    assert "data-still" in player(sample_prediction("real", num_frames=1, duration=0.0))


@pytest.mark.parametrize("num_frames", [1, 5, 24, 32, 1024])
def test_the_moments_hold_the_highest_frames_and_the_stretches_and_are_spread(num_frames):
    segment = Segment(track=0, start=2.0, end=4.0, probability_fake=0.9)
    prediction = dataclasses.replace(
        sample_prediction(
            "fake", num_frames=num_frames, levels=(0.9, 0.4)[: max(1, num_frames // 3)]
        ),
        segments=(segment,),
    )
    times = [frame.timestamp for frame in prediction.frames]
    chosen = moments(prediction)
    assert chosen == sorted(set(chosen)) and set(chosen) <= set(times)
    assert len(chosen) == min(len(times), NUM_MOMENTS)
    for track in prediction.tracks:
        assert max(track.frames, key=lambda f: f.probability_fake).timestamp in chosen
    assert min(times, key=lambda time: abs(time - 3.0)) in chosen
    assert np.diff([0.0, *chosen, 9.6]).max() <= 9.6 / min(num_frames, 4)
    assert (
        json.loads(unescape(re.findall(r'data-moments="([^"]*)"', player(prediction))[0])) == chosen
    )


def test_frames_are_those_of_the_times_that_were_asked_for(clip):
    sent = frames_at(str(clip), [0.0, 0.4, 1.2], LIMITS)
    assert f'data-file="{file_key(str(clip))}"' in sent
    times = [float(time) for time in re.findall(r'data-time="([\d.]+)"', sent)]
    assert times == pytest.approx([0.0, 0.4, 1.2])
    for time, encoded in zip(times, re.findall(r'base64,([^"]+)"', sent), strict=True):
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert frame_number(picture) == round(time * 25)


def test_frames_that_are_asked_for_again_are_another_answer(clip):
    first, again = (frames_at(str(clip), [0.4], LIMITS) for _ in range(2))
    assert first != again and first.split("<img")[1:] == again.split("<img")[1:]


@pytest.mark.parametrize(
    "times", [None, [], "abc", [float("nan")], [[0.0]], {"a": 1}, [0.0] * (NUM_MOMENTS + 1)]
)
def test_nothing_is_read_for_what_is_no_list_of_a_few_times(clip, times):
    with pytest.raises((ValueError, TypeError)):
        frames_at(str(clip), times, LIMITS)


def test_a_file_that_is_no_video_has_no_frames(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(VideoError):
        frames_at(str(tmp_path / "broken.mp4"), [0.0], LIMITS)
