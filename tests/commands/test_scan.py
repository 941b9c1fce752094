import pytest

from dfjax.__main__ import main
from dfjax.commands import scan
from tests.archive.archives import read_rows, tiny_settings
from tests.videos import moving_pattern, write_video


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run_arguments(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["dfjax", "scan", *arguments])
        code = main()
        return code, *capsys.readouterr()

    return run_arguments


def test_folders_and_lists_become_one_table(run, tmp_path):
    tiny_settings(tmp_path / "model")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    write_video(tmp_path / "in" / "deep" / "a.mp4", moving_pattern(3))
    (tmp_path / "in" / "b.dat").touch()
    (tmp_path / "list.txt").write_text("gone.dat\nin/deep/a.mp4\n")
    options = ("--out", "out", "--model", "model", "--runtime", "onnx")
    code, said, noticed = run("in", *options)
    assert "1 file was left out" in noticed and "(in/b.dat)" in noticed
    assert code == 0 and "1 files: 1 no_face; 0 could not be judged." in said
    code, said, _ = run("in", "list.txt", *options)
    assert code == 1 and "2 files: 1 no_face; 1 could not be judged." in said
    assert [row["path"] for row in read_rows(tmp_path / "out")] == ["in/deep/a.mp4", "gone.dat"]


def test_what_a_scan_wrote_into_its_archive_is_not_among_what_it_left_out(run, tmp_path):
    tiny_settings(tmp_path / "model")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    for name in ("results.txt", "results-00001-of-00002.parquet"):
        (tmp_path / "in" / name).touch()
    _, _, said = run("in", "--out", "in/", "--model", "model", "--runtime", "onnx")
    assert "1 file was left out" in said and "(in/results.txt)" in said


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--out", "out"), "No file or folder was given."),
        (("in.mp4", "--out", "out", "--workers", "0"), "--workers is 0; at least 1 is needed."),
        (("in.mp4", "--out", "out", "--shard", "4/3"), "--shard is 4/3; a number from 1/N to N/N"),
        (("a.mp4", "--out", "out", "--cpus-per-worker", "2"), "--cpus-per-worker does nothing"),
        (("a.mp4", "--out", "out", "--gpus-per-worker", "1"), "does nothing without --ray. Add it"),
        (("in.mp4", "--out", "out", "--shard", "two"), "--shard is two; a number from 1/N to N/N"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(run, tmp_path, arguments, message):
    code, _, said = run(*arguments)
    assert code == 1 and message in " ".join(said.split())
    assert not any(tmp_path.iterdir())


def test_ctrl_c_while_the_archive_is_listed_is_one_sentence(run, monkeypatch):
    def stop(named, left_out):
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "find_archive", stop)
    code, _, said = run("in", "--out", "out", "--model", "model")
    assert code == 130 and said.strip().endswith("Run the same command again to continue.")


def test_the_log_of_a_job_says_now_and_then_how_far_it_is(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(scan.time, "monotonic", lambda: now)
    with scan._Progress() as progress:
        for done in range(0, 101):
            now = 2.0 * done
            progress.report("Scoring", done, 500)
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert lines[0] == "Scoring: 15 of 500 files, 30.0/min, 16 minutes left"
    assert len(lines) == 6
