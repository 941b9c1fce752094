"""Predictions are on the disk as soon as they are made."""

import io
import json
import os
import sys
import threading

import pytest

from dfjax.commands import prediction_file
from dfjax.commands.prediction_file import PredictionFile
from dfjax.errors import DfjaxError
from dfjax.json_values import dumps

REPORTS = [{"video": {"name": f"ü{n}.mp4"}, "frames": [n, {"a": "line\nend"}]} for n in range(3)]


def test_a_file_is_valid_json_with_all_predictions_after_each_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_file, "_MAX_SHARE", float("inf"))
    path = tmp_path / "new" / "all.json"
    with PredictionFile(str(path), as_list=True) as output:
        assert not path.exists()
        for number, report in enumerate(REPORTS, start=1):
            output.add(report)
            assert json.loads(path.read_text(encoding="utf-8")) == REPORTS[:number]
    assert path.read_text(encoding="utf-8") == dumps(REPORTS)
    assert [found.name for found in path.parent.iterdir()] == ["all.json"]


def test_a_file_that_is_slow_to_write_is_written_less_often_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_file, "_MAX_SHARE", 1e-9)
    path = tmp_path / "all.json"
    with PredictionFile(str(path), as_list=True) as output:
        for report in REPORTS:
            output.add(report)
        assert json.loads(path.read_text(encoding="utf-8")) == REPORTS[:1]
    assert json.loads(path.read_text(encoding="utf-8")) == REPORTS


def test_what_is_there_is_written_though_the_command_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_file, "_MAX_SHARE", 1e-9)
    path = tmp_path / "all.json"
    with pytest.raises(RuntimeError), PredictionFile(str(path), as_list=True) as output:
        for report in REPORTS[:2]:
            output.add(report)
        raise RuntimeError
    assert json.loads(path.read_text(encoding="utf-8")) == REPORTS[:2]


def test_standard_output_has_each_prediction_at_once_and_the_same_text_at_the_end(capsys):
    with PredictionFile("-", as_list=True) as output:
        output.add(REPORTS[0])
        text = capsys.readouterr().out
        assert json.loads(text + "]") == REPORTS[:1]
        output.add(REPORTS[1])
    assert text + capsys.readouterr().out == dumps(REPORTS[:2])


def test_standard_output_is_json_in_utf_8_whatever_the_locale(monkeypatch):
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="latin-1"))
    with PredictionFile("-", as_list=True) as output:
        output.add({"name": "ü\N{EM DASH}"})
    assert json.loads(buffer.getvalue().decode()) == [{"name": "ü\N{EM DASH}"}]


def test_a_standard_output_that_is_closed_is_named_and_no_file_takes_its_place(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", None)  # so Python has it, if its caller has closed it
    with pytest.raises(DfjaxError, match="standard output is closed"):
        PredictionFile("-", as_list=False)
    assert not list(tmp_path.iterdir())


def test_the_only_prediction_is_an_object(tmp_path, capsys):
    for name in ("-", str(tmp_path / "one.json")):
        with PredictionFile(name, as_list=False) as output:
            output.add(REPORTS[0])
    assert capsys.readouterr().out == dumps(REPORTS[0])
    assert (tmp_path / "one.json").read_text(encoding="utf-8") == dumps(REPORTS[0])


def test_an_old_file_stays_until_there_is_a_prediction_and_a_link_stays_one(tmp_path):
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "old.json")
    with PredictionFile(str(tmp_path / "link.json"), as_list=False) as output:
        assert (tmp_path / "old.json").read_text() == "old"
        output.add(REPORTS[0])
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "old.json").read_text(encoding="utf-8") == dumps(REPORTS[0])


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    with PredictionFile(str(pipe), as_list=True) as output:
        for report in REPORTS:
            output.add(report)
    reader.join(timeout=30)
    assert read == [dumps(REPORTS)] and pipe.is_fifo()


def test_the_pipe_of_a_shell_which_has_a_number_for_a_name_is_written_to():
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as pipe:
        with os.fdopen(writer, "w"), PredictionFile(f"/dev/fd/{writer}", as_list=True) as output:
            for report in REPORTS:
                output.add(report)
        assert pipe.read() == dumps(REPORTS)


def test_a_folder_is_refused_before_anything_is_predicted(tmp_path):
    with pytest.raises(DfjaxError, match="which is a folder"):
        PredictionFile(str(tmp_path), as_list=True)
    (tmp_path / "file").touch()
    with pytest.raises(DfjaxError, match="a folder is needed"):
        PredictionFile(str(tmp_path / "file" / "all.json"), as_list=True)
