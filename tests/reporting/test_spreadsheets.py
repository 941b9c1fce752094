import csv

from dfjax.reporting.spreadsheets import FRAME_COLUMNS, frames_csv
from tests.page.samples import sample_prediction


def test_each_face_in_each_frame_has_a_line_in_the_order_of_time():
    prediction = sample_prediction("fake", name="=1+1.mp4")
    rows = list(csv.DictReader(frames_csv(prediction).splitlines()))
    assert tuple(rows[0]) == FRAME_COLUMNS
    wanted = sorted(
        (frame.timestamp, track.id + 1, frame.probability_fake, *frame.box_xyxy)
        for track in prediction.tracks
        for frame in track.frames
    )
    found = [tuple(float(row[column]) for column in FRAME_COLUMNS[2:]) for row in rows]
    assert found == wanted
    assert {row["video"] for row in rows} == {"'=1+1.mp4"}
    assert {row["sha256"] for row in rows} == {prediction.video.sha256}


def test_a_video_without_a_face_has_the_header_alone():
    (header,) = csv.reader(frames_csv(sample_prediction("no_face")).splitlines())
    assert tuple(header) == FRAME_COLUMNS


def test_a_files_name_stays_one_cell_where_cells_are_parted_at_semicolons():
    table = frames_csv(sample_prediction("real", name='a";=1+1;b.mp4')).splitlines()
    assert {len(row) for row in csv.reader(table, delimiter=";")} == {1}
    _, *rows = csv.reader(table, quoting=csv.QUOTE_NONNUMERIC)
    assert {row[0] for row in rows} == {'a";=1+1;b.mp4'}
    assert {type(cell) for row in rows for cell in row[2:]} == {float}
