import json
from pathlib import Path

import pytest

from dfjax.__main__ import main
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    tiny_detector(real_below=0.0, fake_above=1.0).save_pretrained(folder / "model")
    write_video(folder / "face.mp4", portrait_frames(10))
    write_video(folder / "[red]pattern.mp4", moving_pattern(10))
    (folder / "broken.mp4").write_text("not a video")
    return folder


@pytest.fixture
def run(files, monkeypatch, capsys):
    """Runs `python -m dfjax` in the folder of the files; returns exit code, stdout and stderr."""
    monkeypatch.chdir(files)
    monkeypatch.setenv("COLUMNS", "100")

    def run_arguments(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["dfjax", *arguments])
        code = main()
        return code, *capsys.readouterr()

    return run_arguments


def test_every_file_is_a_row_of_the_table_and_the_exit_code_is_zero(run):
    code, out, err = run("predict", "face.mp4", "[red]pattern.mp4", "--model", "model")
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert code == 0
    assert "uncertain" in rows["face.mp4"]
    assert "no face" in rows["[red]pattern.mp4"]
    assert "real" not in rows["[red]pattern.mp4"]
    assert "[red]pattern.mp4: No face was found" in err


def test_a_file_that_cannot_be_read_costs_exit_code_one_and_not_the_others(run, files):
    code, out, err = run(
        "predict", "broken.mp4", "face.mp4", "missing.mp4", "--model", "model", "--json", "all.json"
    )
    assert code == 1
    assert "uncertain" in out
    assert "broken.mp4" in err and "missing.mp4" in err
    broken, face, missing = json.loads((files / "all.json").read_text())
    assert "error" in broken and "error" in missing
    assert "label" not in broken and "label" not in missing
    assert face["label"] == "uncertain"


def test_the_report_of_one_video_is_the_contracts_object(run, files):
    code, _, _ = run("predict", "face.mp4", "--model", "model", "--json", "one.json")
    report = json.loads((files / "one.json").read_text())
    assert code == 0
    assert report["schema_version"] == 1
    assert report["video"]["name"] == "face.mp4"
    assert len(report["frames"]) == report["video"]["frames_scored"] == 8


def test_standard_output_holds_json_alone_when_asked(run):
    _, out, _ = run("predict", "face.mp4", "--model", "model", "--json", "-")
    assert json.loads(out)["model"]["id"] == "model"


def test_a_model_that_is_none_is_one_sentence_and_exit_code_one(run):
    code, out, err = run("predict", "face.mp4", "--model", "no-such-folder")
    assert code == 1
    assert out == ""
    assert err.strip().startswith("Error: ")
    assert "Traceback" not in err


def test_preparing_a_folder_that_is_not_the_data_set_says_what_was_expected(run, tmp_path):
    code, _, err = run("prepare", "ffpp", str(tmp_path), "--out", str(tmp_path / "out"))
    assert code == 1
    assert "train.json" in err
    assert not (tmp_path / "out").exists()
