"""Which frames and crops `prepare` makes, and what it says at its end."""

import errno
import os
import re
import types
from pathlib import Path

import pytest

from dfjax.commands.prepare import Prepare
from dfjax.data.prepared import load_report
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


def test_what_was_away_is_named_and_the_exit_code_is_1_until_it_is_read(
    tmp_path, monkeypatch, capsys
):
    def away(*_):
        raise OSError(errno.EIO, "Input/output error")

    for name in ("real/a.mp4", "real/b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no video")
    run = Prepare(source="folder", root=tmp_path, out=tmp_path / "out", workers=1).run
    with monkeypatch.context() as patch:
        patch.setattr("dfjax.data.rows.read_face_clips", away)
        assert run() == 1
    told = capsys.readouterr().err.splitlines()  # a sentence in a line, to be copied
    assert any(
        re.fullmatch("2 videos could not be read for a reason that may pass.* is done[.]", line)
        for line in told
    )
    assert run() == 0
    report = load_report(str(tmp_path / "out"))
    assert [of["unreadable"] for of in report["splits"].values()] == [1, 1]


def test_without_a_number_there_is_a_process_for_each_core_that_it_may_use(monkeypatch):
    given = []

    def prepare(*_, workers, **__):
        given.append(workers)
        raise KeyboardInterrupt

    monkeypatch.setattr("dfjax.data.prepare.prepare", prepare)
    source = types.SimpleNamespace(videos=())
    monkeypatch.setattr("dfjax.commands.prepare.read_source", lambda *_, **__: source)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert _prepare().run() == _prepare(workers=3).run() == 130
    assert given == [1, 3]
