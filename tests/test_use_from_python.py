"""The programs in docs/use-from-python.md run as they stand, here with a tiny model."""

import dataclasses
import re
import shlex
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from flax import nnx

import train
from dfjax.__main__ import main
from dfjax.config import DetectorConfig
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.training import run
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG
from tests.videos import portrait_frames, write_video

PROJECT = Path(__file__).resolve().parents[1]
START, *SECTIONS = (PROJECT / "docs/use-from-python.md").read_text(encoding="utf-8").split("\n## ")
TUNING = "Fine-tune on a folder of your own"
CAMERA = "Frames from a camera"
OWN_CROPS = "Crops of your own"


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.S | re.M)


def title(section: str) -> str:
    return section.partition("\n")[0]


PROGRAMS = [section for section in SECTIONS if title(section) not in (TUNING, CAMERA)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A folder with what the programs name: a model and videos."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("docs/sample.mp4", "clips/one.mp4", "clips/two.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / "docs/sample.mp4", folder / name)
    (folder / "clips/broken.mp4").write_text("not a video")
    config = dataclasses.replace(TINY_CONFIG, detector=DetectorConfig())  # as train.py has it
    detector = filled(lambda rngs: Detector(config, rngs=rngs))
    detector.save_pretrained(folder / "checkpoint")
    return folder


@pytest.fixture(scope="module")
def started(checkout) -> dict[str, Any]:
    """What the first lines of the page leave."""
    names: dict[str, Any] = {}
    (program,) = blocks(START, "python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        exec(program, names)
    return names


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    """No progress bars, and nothing in the user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.mark.parametrize("section", PROGRAMS, ids=title)
def test_the_programs(section, checkout, started, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    shown: list[Any] = []
    notebook = types.SimpleNamespace(HTML=str, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    programs = blocks(section, "python")
    assert programs
    names = dict(started)
    for program in programs:
        exec(program, names)
    assert shown or capsys.readouterr().out or (checkout / "report.html").is_file()


def test_a_picture_among_crops_of_ones_own_is_scored_both_ways_round(capsys):
    (section,) = (each for each in SECTIONS if title(each) == OWN_CROPS)
    (program,) = blocks(section, "python")
    calibration = dataclasses.replace(TINY_CONFIG.calibration, mirror_bursts=True)
    config = dataclasses.replace(TINY_CONFIG, calibration=calibration)
    engine = JaxEngine(filled(lambda rngs: Detector(config, rngs=rngs)))
    predictor = types.SimpleNamespace(engine=engine, config=config)
    track = types.SimpleNamespace(frames=[types.SimpleNamespace(timestamp=0.0)])
    crops = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    printed = []
    for clip in (crops, crops[:, :, ::-1]):
        prediction = types.SimpleNamespace(clips=[clip], tracks=[track])
        exec(program, {"predictor": predictor, "prediction": prediction})
        printed.append(float(capsys.readouterr().out.splitlines()[-1]))
    assert printed[0] == pytest.approx(printed[1], abs=1e-6)


# imageio_ffmpeg forks to start ffmpeg, and leaves its pipes to the garbage collector.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning", "ignore:unclosed file:ResourceWarning")
def test_frames_from_a_camera_get_a_score(checkout, started, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    (section,) = (each for each in SECTIONS if title(each) == CAMERA)
    live, in_memory = blocks(section, "python")

    class ScoredError(Exception):
        pass

    def stop_if_scored(probability, faces):
        if probability is not None:
            raise ScoredError

    with pytest.raises(ScoredError):  # endless, since it takes a while to compile
        endless = live.replace('"-stream_loop", "3"', '"-stream_loop", "-1"')
        exec(endless, started | {"print": stop_if_scored})
    exec(in_memory, started | {"np": np})
    assert capsys.readouterr().out == "no_face\n"


def test_the_commands_that_tune_a_model(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    for number, split in enumerate(("train", "val")):
        for shift, label in enumerate(("real", "fake")):
            folder = Path("faces", split, label)
            folder.mkdir(parents=True)
            for n in range(2):
                frames = portrait_frames(8)[4 * shift + 2 * number + n :]
                write_video(folder / f"{label}{number}{n}.mp4", frames[:2])
    # What a step learns is tested elsewhere, and takes long to compile.
    monkeypatch.setattr(run, "_train", lambda opened, on_step: (nnx.state(opened.detector), 1))
    (section,) = (each for each in SECTIONS if title(each) == TUNING)
    (commands,) = blocks(section, "")
    for command in commands.replace("--out prepared", "--out prepared --workers 1").splitlines():
        program, *arguments = shlex.split(command)
        assert program == "python"
        is_training = arguments[0] == "train.py"
        assert is_training or arguments[:2] == ["-m", "dfjax"]
        monkeypatch.setattr("sys.argv", arguments if is_training else arguments[1:])
        assert (train.main() if is_training else main()) == 0
    assert (checkout / "run/checkpoint/model.safetensors").is_file()
    assert (checkout / "report/report.json").is_file()
