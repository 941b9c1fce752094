import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import push_to_hub
import train
from dfjax.__main__ import main
from dfjax.data.prepared import load_manifest
from dfjax.evaluation.distortions import KINDS
from dfjax.predictor import Predictor
from dfjax.version import __version__
from tests.tiny import tiny_detector
from tests.training.prepared_set import write_prepared
from tests.videos import FAILS_TO_READ, moving_pattern, portrait_frames, write_video

PROJECT = Path(__file__).resolve().parents[1]


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

    def run_arguments(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["dfjax", *map(str, arguments)])
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
    assert [broken["path"], face["path"]] == ["broken.mp4", "face.mp4"]
    assert "label" not in broken and "label" not in missing
    assert face["label"] == "uncertain"


@pytest.mark.skipif(not FAILS_TO_READ.exists(), reason="no plain file here fails to be read")
def test_a_broken_disk_a_long_name_and_an_endless_link_do_not_cost_the_others(run, tmp_path):
    (tmp_path / "disk.mp4").symlink_to(FAILS_TO_READ)
    (tmp_path / "link.mp4").symlink_to("link.mp4")
    videos = (tmp_path / "disk.mp4", "x" * 300 + ".mp4", tmp_path / "link.mp4", "face.mp4")
    code, _, err = run("predict", *videos, "--model", "model", "--json", tmp_path / "all.json")
    *unread, face = json.loads((tmp_path / "all.json").read_text())
    assert code == 1 and face["label"] == "uncertain"
    assert all(report["error"] in err for report in unread)
    for report, video in zip(unread, videos, strict=False):
        assert Path(video).name in report["error"]


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


def test_a_folder_gives_a_report_a_line_and_an_answer_for_each_video(run, files, tmp_path):
    for place in ("set/one", "set/two"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "face.mp4").symlink_to(files / "face.mp4")
    outputs = ("--html", tmp_path / "pages", "--csv", tmp_path / "all.csv", "--json", "-")
    options = ("--recursive", "--model", "model", *outputs)
    code, out, _ = run("predict", tmp_path / "set", *options)
    assert code == 0
    reports = json.loads(out)
    paths = [str(tmp_path / "set" / place / "face.mp4") for place in ("one", "two")]
    assert [report["video"]["name"] for report in reports] == 2 * ["face.mp4"]
    assert [report["path"] for report in reports] == paths
    pages = sorted((tmp_path / "pages").iterdir())
    assert [page.name for page in pages] == ["face-report-2.html", "face-report.html"]
    assert all("<h2>Uncertain</h2>" in page.read_text(encoding="utf-8") for page in pages)
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        names = [row["video"] for row in csv.DictReader(file)]
    assert names == paths


def test_several_reports_do_not_fit_into_one_file(run, files):
    (files / "old.html").touch()
    code, _, err = run("predict", "face.mp4", "broken.mp4", "--html", "old.html")
    assert code == 1
    assert "several videos need a folder" in " ".join(err.split())


@pytest.mark.parametrize("option", ["--json", "--csv", "--html"])
@pytest.mark.parametrize("output", ["face.mp4", "other.MOV", "plain"])
def test_no_video_is_overwritten_by_an_answer(option, output, run, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = (files / "face.mp4").read_bytes()
    (tmp_path / output).write_bytes(before)
    (tmp_path / "plain").write_bytes(before)
    code, _, err = run("predict", option, output, "plain", "--model", files / "model")
    assert code == 1
    assert f"{option} is {output}, which would overwrite a video" in " ".join(err.split())
    assert (tmp_path / output).read_bytes() == before


def test_what_was_predicted_before_ctrl_c_is_shown_and_kept(run, files, monkeypatch):
    predict = Predictor.each

    def predict_until_stopped(self, paths, **options):
        yield from predict(self, paths[: paths.index("broken.mp4")], **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "each", predict_until_stopped)
    videos = ("missing.mp4", "face.mp4", "broken.mp4", "[red]pattern.mp4")
    code, out, err = run("predict", *videos, "--model", "model", "--json", "part.json")
    assert code == 130
    assert "uncertain" in out and "pattern" not in out
    assert "Stopped after 2 of 4 files" in err and "no file named 'missing.mp4'" in err
    reports = json.loads((files / "part.json").read_text())
    assert [report["video"]["name"] for report in reports] == ["missing.mp4", "face.mp4"]


def test_ctrl_c_is_a_word_while_the_commands_are_still_imported(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "dfjax.commands.scan":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "dfjax.commands.scan", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["dfjax", "predict"])
    assert main() == 130
    assert capsys.readouterr() == ("", "Stopped.\n")


def test_a_value_that_a_config_refuses_is_one_sentence(tmp_path):
    command = [sys.executable, "train.py", "--data", "x", "--out", str(tmp_path / "o")]
    done = subprocess.run([*command, "--steps", "0"], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 1
    assert done.stderr.split() == "Error: TrainConfig.steps is 0; it must be at least 1.".split()


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


@pytest.fixture
def stills(tmp_path) -> Path:
    (tmp_path / "stills" / "real").mkdir(parents=True)
    Image.fromarray(portrait_frames(1)[0]).save(tmp_path / "stills" / "real" / "face.png")
    return tmp_path / "stills"


def test_a_folder_is_prepared_with_the_crops_and_the_name_that_were_asked_for(
    run, stills, tmp_path
):
    arguments = ("--image-size", "48", "--margin", "1.5", "--name", "mine", "--workers", "1")
    code, out, err = run("prepare", "folder", stills, "--out", tmp_path / "out", *arguments)
    assert (code, err.strip()) == (0, "")
    assert out.split() == [
        *("split", "videos", "clips", "faces", "no", "face", "unreadable"),
        *("train", "1", "1", "1", "0", "0"),
    ]
    manifest = load_manifest(str(tmp_path / "out"))
    assert manifest["source"]["name"] == "folder"
    assert manifest["source"]["options"]["name"] == "mine"
    crops = manifest["config"]["crops"]
    assert (crops["image_size"], crops["margin"], crops["min_detail"]) == (48, 1.5, 0.125)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--compressions", "c23"), "'folder' has no option compressions"),
        (("--image-size", "3"), "image_size is 3"),
        (("--codec-variants", "99"), "variants is 99"),
        (("--workers", "0"), "--workers is 0"),
    ],
)
def test_what_cannot_be_prepared_is_one_sentence_and_makes_no_folder(
    run, stills, tmp_path, arguments, words
):
    code, out, err = run("prepare", "folder", stills, "--out", tmp_path / "out", *arguments)
    assert (code, out) == (1, "")
    assert words in " ".join(err.split()) and err.startswith("Error: ")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_stopped_says_how_it_goes_on(run, stills, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dfjax.data.prepare.prepare", stop)
    code, _, err = run("prepare", "folder", stills, "--out", tmp_path / "out")
    assert code == 130
    assert "to continue" in err


def test_an_evaluation_says_the_auc_with_its_counts_and_where_the_report_is(run, tmp_path):
    prepared = write_prepared(tmp_path / "set", groups=8, stills=0)
    arguments = ("--model", "model", "--out", tmp_path / "out", "--split", "validation")
    code, out, err = run("evaluate", prepared, *arguments)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    auc = report["figures"]["video"]["auc"]["value"]
    assert code == 0
    assert f"AUC {auc:.3f} (" in out and "over 2 real and 4 fake videos" in " ".join(out.split())
    assert "cannot be resolved" in err  # what a reader of the figure must know
    assert (tmp_path / "out" / "report.md").is_file()
    assert f"Written to {tmp_path / 'out' / 'report.md'}." in out  # in one line, to be copied


def test_a_report_that_could_not_be_written_is_refused_before_anything_is_measured(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr("dfjax.evaluation.run.evaluate", None)
    (tmp_path / "file").touch()
    code, _, err = run("evaluate", "set", "--model", "model", "--out", tmp_path / "file" / "out")
    assert code == 1
    assert "file is a file; a folder is needed there" in " ".join(err.split())


def test_a_split_that_is_not_there_is_told_with_those_that_are(run, tmp_path):
    prepared = write_prepared(tmp_path / "set", groups=4, stills=0)
    code, out, err = run("evaluate", prepared, "--model", "model", "--out", tmp_path / "out")
    assert (code, out) == (1, "")
    assert "no split 'test'; it has ['train', 'validation']" in " ".join(err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--robustness-videos", 5), ("--robustness-kinds", "noise")])
def test_options_of_a_study_are_refused_where_it_is_not_asked_for(run, tmp_path, option):
    code, _, err = run("evaluate", "none", "--out", tmp_path / "out", *option)
    assert code == 1
    assert f"Error: {option[0]} does nothing without --robustness. Add it." in err


def test_the_version_is_said(run):
    assert run("--version") == (0, f"dfjax {__version__}\n", "")


@pytest.fixture(
    params=[
        *(
            (main, name)
            for name in ("predict", "scan", "prepare", "evaluate", "calibrate", "export")
        ),
        (train.main, None),
        *((push_to_hub.main, name) for name in ("model", "dataset", "space")),
    ],
    ids=lambda param: param[1] or "train",
)
def shown_help(request, monkeypatch, capsys) -> str:
    """What a program, or one of its commands, prints with `--help`."""
    program, name = request.param
    monkeypatch.setattr("sys.argv", ["program", *filter(None, [name]), "--help"])
    with pytest.raises(SystemExit):
        program()
    return capsys.readouterr().out


def test_an_option_that_may_be_left_out_is_shown_by_what_it_takes(shown_help):
    assert "{None}" not in shown_help
    assert " STR" in shown_help


def test_what_stands_without_an_option_is_shown_by_what_it_is(shown_help):
    usage = shown_help.partition("\n\n")[0].partition(" --")[0]
    about = re.findall(r"positional arguments.*? options ", shown_help, re.S)
    assert not re.search(r"\b(STR|PATH)\b", usage + "".join(about))


def test_the_help_says_of_every_option_what_it_is_to_the_end(shown_help):
    shown = re.sub("[│╭╮╰╯─]", " ", shown_help)
    options = re.findall(r"^ {1,3}(--[a-z].*(?:\n(?! {1,3}-| *$).*)*)", shown, re.M)
    assert len(options) > 2
    for option in options:
        said = re.split(r"\s{2,}", option, maxsplit=1)[1].rpartition("(")[0].strip()
        assert re.search("[a-z]{2}", said), f"nothing is said of {option}"
        # A comment in the code that goes on in the next line is cut off there.
        assert not re.search(r"\. [A-Z]\w*$", said), f"cut off: {said}"


def test_the_help_of_evaluate_names_every_distortion_and_does_not_wait_for_jax():
    """Each is offered by its name, from the one list that there is."""
    program = (
        "import sys\n"
        "from dfjax.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: sys.exit('jax' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "evaluate", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert all(kind in done.stdout for kind in KINDS)
