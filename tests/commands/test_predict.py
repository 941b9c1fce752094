"""What `predict` prints at its end, and where it writes."""

import dataclasses

import pytest

from dfjax.commands.predict import Predict, _Answers
from dfjax.commands.video_files import VideoFile
from dfjax.errors import DamagedVideoError, DfjaxError
from dfjax.prediction import Segment
from tests.page.samples import sample_prediction

LONG = "archive/" + "-".join(f"scene {number:03}" for number in range(20)) + ".mp4"


def _first_column(table: str) -> str:
    """Returns the text of the first column, whose name is followed by two blanks or more."""
    head, *rows = table.splitlines()
    width = max(head.find(name) for name in ("verdict", "face  "))
    return "".join(row[:width].rstrip(" ") for row in rows)


def test_a_long_name_is_whole_in_both_tables_and_in_one_line_of_each_message(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    answers = _Answers()
    stretch = Segment(track=0, start=1.0, end=2.0, probability_fake=0.9)
    warned = dataclasses.replace(sample_prediction(warnings=("It is small.",)), segments=(stretch,))
    answers.add(LONG, warned)
    answers.add(LONG, DamagedVideoError(f"{LONG} is damaged."))
    answers.show(with_table=True)
    out, err = capsys.readouterr()
    table, stretches = out.split("stretch that looks fake")
    name = LONG.replace(" ", "")
    assert _first_column(table).replace(" ", "") == 2 * name
    assert _first_column(f"stretch that looks fake{stretches}").replace(" ", "") == name
    assert err.splitlines() == [f"{LONG}: It is small.", f"Error: {LONG} is damaged."]


def test_a_name_is_neither_markup_nor_an_emoji(capsys):
    answers = _Answers()
    names = ("z:100:.mp4", r"take\[red].mp4", r"x\[/b].mp4")
    for name in names:
        answers.add(name, sample_prediction(warnings=("It is small.",)))
        answers.add(name, DamagedVideoError("It is damaged."))
    answers.show(with_table=True)
    out, err = capsys.readouterr()
    assert all(out.count(f"{name} ") == 2 for name in names)
    assert ", ".join(names) in err
    assert all(f"Error: {name}: It is damaged." in err for name in names)


def test_answers_are_shown_though_they_cannot_be_written(tmp_path, monkeypatch, capsys):
    def fill_up(self, report, name):
        raise OSError(28, "No space left on device")

    results = [(VideoFile("a.mp4", "a.mp4"), sample_prediction())]
    monkeypatch.setattr(Predict, "_results", lambda self, files: iter(results))
    monkeypatch.setattr("dfjax.commands.prediction_table.PredictionTable.add", fill_up)
    with pytest.raises(OSError, match="No space left"):
        Predict(videos=("a.mp4",), csv=str(tmp_path / "all.csv")).run()
    assert "a.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "outputs, message",
    [
        ({"json": "same.x", "csv": "./same.x"}, "--json and --csv are both ./same.x"),
        ({"csv": "same.x", "html": "same.x"}, "--csv and --html are both same.x"),
        ({"csv": "-"}, "--csv is -, which is standard output for --json alone"),
        ({"json": "-", "html": "-"}, "--html is -, which is standard output for --json alone"),
    ],
)
def test_answers_do_not_overwrite_each_other(outputs, message):
    with pytest.raises(DfjaxError, match=message):
        Predict(videos=("a.mp4",), **outputs).run()
