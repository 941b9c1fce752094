import csv
import errno
import os

import pytest

from dfjax.commands.prediction_table import PredictionTable
from dfjax.errors import DfjaxError
from dfjax.prediction import Segment
from dfjax.reporting.spreadsheets import VIDEO_COLUMNS
from tests.page.samples import sample_prediction


def _rows(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_each_stretch_has_a_line_and_each_file_at_least_one(tmp_path):
    plain = sample_prediction("real", name="plain.mp4").to_dict()
    changed = sample_prediction("fake", name="changed.mp4").to_dict()
    stretches = [Segment(track=n, start=n + 1.0, end=n + 2.0, probability_fake=0.9) for n in (0, 1)]
    changed["segments"] = [vars(stretch) for stretch in stretches]
    with PredictionTable(str(tmp_path / "all.csv")) as table:
        for report in (plain, changed):
            table.add(report)
        table.add({"video": {"name": "broken.mp4"}, "error": "It is, well,\n“broken”."})
        rows = _rows(tmp_path / "all.csv")  # before it is closed
    assert [row["video"] for row in rows] == ["plain.mp4", *2 * ["changed.mp4"], "broken.mp4"]
    assert [row["segment_face"] for row in rows] == ["", "1", "2", ""]
    assert (rows[2]["segment_start"], rows[2]["segment_end"]) == ("2.0", "3.0")
    assert [row["verdict"] for row in rows] == ["real", "fake", "fake", ""]
    assert float(rows[0]["probability_fake"]) == plain["probability_fake"]
    assert rows[3]["error"] == "It is, well,\n“broken”."
    assert tuple(rows[0]) == VIDEO_COLUMNS


@pytest.mark.parametrize("name", ["=1+1.mp4", "@here.mp4", "-x.mp4", "+x.mp4"])
def test_a_files_name_is_never_a_formula(tmp_path, name):
    with PredictionTable(str(tmp_path / "all.csv")) as table:
        table.add(sample_prediction(name=name).to_dict())
    assert _rows(tmp_path / "all.csv")[0]["video"] == "'" + name


def test_an_old_table_stays_until_there_is_a_prediction(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("old")
    with PredictionTable(str(path)) as table:
        assert path.read_text() == "old"
        table.add(sample_prediction(name="new.mp4").to_dict())
    assert [row["video"] for row in _rows(path)] == ["new.mp4"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DfjaxError, match="folder"):
        PredictionTable(str(tmp_path))


def test_a_table_can_be_in_a_folder_that_is_not_there_yet(tmp_path):
    with PredictionTable(str(tmp_path / "new" / "all.csv")) as table:
        assert not any(tmp_path.iterdir())
        table.add(sample_prediction(name="a.mp4").to_dict())
    assert [row["video"] for row in _rows(tmp_path / "new" / "all.csv")] == ["a.mp4"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full disk")
def test_a_full_disk_is_told_with_the_file_that_was_written(tmp_path):
    (tmp_path / "all.csv").symlink_to("/dev/full")
    name = str(tmp_path / "all.csv")
    with pytest.raises(OSError) as raised, PredictionTable(name) as table:
        table.add(sample_prediction().to_dict())
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, name)
