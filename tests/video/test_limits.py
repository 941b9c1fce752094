"""What a file may cost is for whoever reads it to say, and never for a model."""

import dataclasses
import json
import math

import pytest

from dfjax.errors import VideoLimitError
from dfjax.predictor import Predictor
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, write_video

FIELDS = [field.name for field in dataclasses.fields(VideoLimits)]
_LATER = ("max_still_pixels", "max_jpeg_pixels")  # were never part of a config


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("field", FIELDS)
def test_a_limit_is_a_positive_finite_number(field, value):
    with pytest.raises(ValueError, match=f"VideoLimits.{field}"):
        VideoLimits(**{field: value})


def test_a_model_cannot_loosen_them(tmp_path):
    tiny_detector().save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    values = json.loads(path.read_text())
    values["video"] |= dict.fromkeys(set(FIELDS) - set(_LATER), 10**15)
    path.write_text(json.dumps(values))
    write_video(tmp_path / "clip.mp4", moving_pattern(25))
    predictor = Predictor.from_pretrained(tmp_path / "model")
    assert predictor.limits == VideoLimits()
    strict = Predictor.from_pretrained(tmp_path / "model", limits=VideoLimits(max_duration=0.5))
    with pytest.raises(VideoLimitError, match="longer than the limit of 0.5 seconds"):
        strict(tmp_path / "clip.mp4")


@pytest.mark.parametrize("limit, words", [(5.0, "5"), (1.25, "1.25"), (4.98, "4.98")])
def test_how_long_a_file_may_be_is_said_and_not_that_it_is_as_long(tmp_path, limit, words):
    path = write_video(tmp_path / "clip.ts", moving_pattern(60, 48, 64), fps=10)
    with pytest.raises(VideoLimitError) as refused:
        probe(path, VideoLimits(max_duration=limit))
    assert str(refused.value).count(words) == 1
    assert f"is longer than the limit of {words} seconds." in str(refused.value)
