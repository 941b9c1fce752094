"""What `predict` prints at its end."""

import dataclasses

from dfjax.commands.predict import _Answers
from dfjax.errors import DamagedVideoError
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
