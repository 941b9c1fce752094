import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from dfjax.page.faces import NUM_CROPS, face_strips
from dfjax.reporting.crops import shown_frames
from tests.page.samples import sample_prediction


@pytest.mark.parametrize("count", [1, 7, 8, 9, 32, 100])
def test_the_frames_shown_are_spread_and_hold_the_highest(count):
    rng = np.random.default_rng(count)
    for _ in range(20):
        probabilities = rng.random(count)
        chosen = shown_frames(probabilities, NUM_CROPS)
        assert chosen == sorted(set(chosen))
        assert len(chosen) == min(count, NUM_CROPS)
        assert int(np.argmax(probabilities)) in chosen


def test_the_most_suspicious_face_comes_first():
    strips = face_strips(sample_prediction("fake", levels=(0.2, 0.9, 0.5)))
    assert re.findall(r'aria-label="Face (\d)"', strips) == ["2", "3", "1"]


def test_a_face_without_a_say_comes_last():
    prediction = sample_prediction("fake", levels=(0.2, 0.9, 0.5))
    first, second, third = prediction.tracks
    tracks = (first, dataclasses.replace(second, left_out="short"), third)
    strips = face_strips(dataclasses.replace(prediction, tracks=tracks))
    assert re.findall(r'aria-label="Face (\d)"', strips) == ["3", "1", "2"]


def test_each_crop_is_the_picture_of_its_frame():
    prediction = sample_prediction("real", num_frames=4)
    (track,) = prediction.tracks
    html = face_strips(prediction)
    addresses = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    assert len(addresses) == 4
    for address, crop in zip(addresses, prediction.clips[track.id], strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))))
        np.testing.assert_allclose(shown.mean((0, 1)), crop.mean((0, 1)), atol=4)
    assert html.count("<strong>") == 5  # one per crop, and the track's own
    assert re.findall(r'data-seek="([^"]*)"', html) == [str(f.timestamp) for f in track.frames]
