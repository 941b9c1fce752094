"""Which frames and crops `prepare` makes."""

from pathlib import Path

import pytest

from dfjax.commands.prepare import Prepare
from dfjax.errors import DatasetError
from dfjax.models.pretrained import read_config
from tests.models.gend_files import write_gend


def _prepare(**options) -> Prepare:
    return Prepare(source="folder", root=Path("videos"), out=Path("out"), **options)


def test_for_a_model_they_are_those_that_it_sees_in_the_app(tmp_path):
    folder = write_gend(tmp_path)
    made, seen = _prepare(model=str(folder)).config(), read_config(folder)
    assert (made.video, made.faces, made.tracks, made.crops) == (
        *(seen.video, seen.faces, seen.tracks),
        seen.crops,
    )
    assert made.crops.anchor == "box" and made.crops.margin == 1.3


def test_they_are_given_once():
    with pytest.raises(DatasetError, match="--model says .* so does --image-size, --margin"):
        _prepare(model="any", image_size=64, margin=2.0).config()
