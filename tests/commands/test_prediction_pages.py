import os
import threading

from dfjax.commands.prediction_pages import PredictionPages
from tests.page.samples import sample_prediction


def test_names_that_a_disk_may_not_tell_apart_are_those_of_different_reports(tmp_path):
    names = ("Clip.mp4", "clip.MP4", "CLIP.mov", "ñ.mp4", "n\u0303.mp4")
    pages = PredictionPages(str(tmp_path / "pages"), names, is_folder=True)
    for name in names:
        pages.add(sample_prediction("real", name=name, num_frames=2))
    written = [path.name for path in (tmp_path / "pages").iterdir()]
    assert len({name.lower() for name in written}) == len(written) == 5


def test_a_report_has_the_ending_of_its_video_only_where_another_is_called_so(tmp_path, capsys):
    names = ("face.png", "face.webp", "clip.mp4", "face.png")
    pages = PredictionPages(str(tmp_path / "pages.html"), names, is_folder=True)
    for name in names:
        pages.add(sample_prediction("real", name=name, num_frames=2))
    pages.show()
    written = sorted(path.name for path in (tmp_path / "pages.html").iterdir())
    assert written == [
        *("clip-report.html", "face.png-report-2.html"),
        *("face.png-report.html", "face.webp-report.html"),
    ]
    said = capsys.readouterr().err.strip()
    assert said == f"Wrote 4 reports to the folder {tmp_path / 'pages.html'}."


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(
        target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True
    )
    reader.start()
    pages = PredictionPages(str(pipe), ["clip.mp4"], is_folder=False)
    pages.add(sample_prediction("real", num_frames=2))
    reader.join(timeout=30)
    assert pipe.is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert len(read) == 1 and read[0].rstrip().endswith("</html>")


def test_of_a_link_the_file_that_it_points_to_is_replaced(tmp_path):
    (tmp_path / "old.html").write_text("old")
    (tmp_path / "link.html").symlink_to(tmp_path / "old.html")
    pages = PredictionPages(str(tmp_path / "link.html"), ["clip.mp4"], is_folder=False)
    pages.add(sample_prediction("real", num_frames=2))
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "old.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_reports_are_in_the_language_that_was_asked_for_and_nothing_else_is(tmp_path, capsys):
    pages = PredictionPages(str(tmp_path / "r.html"), ["a.mp4"], is_folder=False, language="es")
    pages.add(sample_prediction("real", name="a.mp4", num_frames=2))
    pages.show()
    assert "Probablemente auténtico" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Wrote 1 report" in capsys.readouterr().err
