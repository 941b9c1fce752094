import os

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.MP4", "in/a.jpg", "in/notes.txt", "in/.hidden.mp4", "in/deep/c.mov"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in" / ".cache").mkdir()
    (tmp_path / "in" / ".cache" / "d.mp4").touch()
    return tmp_path


@pytest.fixture
def locked(monkeypatch) -> str:
    """The path of a file in a folder that may not be looked into; root may look everywhere."""

    def stat(path, *args, look=os.stat, **options):
        if path == "locked/a.mp4" or os.fspath(path) == "locked/a.mp4":
            raise PermissionError(13, "Permission denied", path)
        return look(path, *args, **options)

    monkeypatch.setattr(os, "stat", stat)
    return "locked/a.mp4"
