import dataclasses
import json
import re
import shutil
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flax import nnx
from PIL import Image

from dfjax.commands.evaluate import Evaluate
from dfjax.config import CalibrationConfig
from dfjax.data.clip_row import FEATURES
from dfjax.data.store import ClipStore
from dfjax.data.trained_on import digests, write_trained_on
from dfjax.errors import DatasetError
from dfjax.evaluation import run as run_module
from dfjax.evaluation.notes import is_fit_known, notes
from dfjax.evaluation.run import evaluate
from dfjax.evaluation.studies import robustness
from dfjax.evaluation.studies.controls import ControlsStudy
from dfjax.evaluation.studies.robustness import RobustnessStudy
from dfjax.evaluation.studies.self_blended import SelfBlendedStudy
from dfjax.models.fingerprint import fingerprint
from dfjax.models.pretrained import read_config, write_calibration
from dfjax.reporting.report import write_report
from tests.evaluation.clips import StripeScorer
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.training.prepared_set import write_prepared


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    write_prepared(folder / "set", groups=8, stills=0, seed=1)
    write_prepared(folder / "copy", groups=8, stills=0, seed=1)
    write_prepared(folder / "other", groups=8, stills=0, seed=2)
    parquet = folder / "other" / "data" / "validation-00000-of-00001.parquet"
    table = pq.read_table(parquet)
    place = table.schema.get_field_index("dataset")
    names = pa.array(["celebdf"] * len(table))
    pq.write_table(table.set_column(place, "dataset", names), parquet)
    tiny_detector(fake_above=0.6, false_positive_rate=0.05).save_pretrained(folder / "model")
    training = {"data": {"fingerprint": f"{1:016}+{3:016}"}}
    (folder / "model" / "training.json").write_text(json.dumps(training))
    return folder


@pytest.fixture(scope="module")
def result(folder, blends_soon) -> dict:
    evaluation = evaluate(
        [str(folder / "set"), str(folder / "other")],
        str(folder / "model"),
        folder / "report",
        split="validation",
        optional=(SelfBlendedStudy(), ControlsStudy()),
    )
    write_report(evaluation, folder / "report")
    return evaluation.report


@pytest.fixture
def no_network(monkeypatch):
    """Scores without a network, where the scores are of no matter."""
    monkeypatch.setattr(run_module, "Scorer", lambda detector: StripeScorer(by_stripe=True))


def test_the_report_on_the_disk_is_the_one_returned_and_names_no_path(result, folder):
    text = (folder / "report" / "report.json").read_text()
    assert json.loads(text) == result
    assert str(folder) not in text
    assert str(folder) not in (folder / "report" / "report.md").read_text()


def test_every_measure_is_there(result):
    assert result["figures"]["counts"]["videos"] == 12
    assert result["figures"]["threshold"]["value"] == 0.6
    assert result["partial_fakes"]["clips"] == 8
    assert result["self_blended"]["fake"] == 4
    assert {entry["by"] for entry in result["slices"]} >= {"face size", "brightness", "duration"}
    assert result["robustness"] is None
    assert result["shortcuts"]["metadata"] is None  # without the files
    assert len(result["shortcuts"]["faceless"]["per_setting"]) == 2
    assert [len(result["mistakes"][label]) for label in ("real", "fake")] == [4, 5]


def test_a_split_that_the_model_was_calibrated_on_is_told(result, folder):
    assert [data["calibrated_on"] for data in result["data"]] == [True, False]
    told = " ".join(result["notes"])
    assert "fitted on this split of set" in told and "of other" not in told
    assert "promised" not in told  # celebdf had no part in that


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("place", "name", "is_told"),
    [
        ("training.json", "ffpp", True),
        ("calibration.json", "ffpp", True),
        ("calibration.json", "celebdf", False),
    ],
)
def test_data_that_was_prepared_anew_may_show_whom_the_model_was_calibrated_on(
    folder, tmp_path, place, name, is_told
):
    """The same validation videos have another fingerprint with one more video or encoding."""
    model = Path(shutil.copytree(folder / "model", tmp_path / "model"))
    training = {"data": {"fingerprint": f"{9:016}"}, "validation": {"counts": {"datasets": [name]}}}
    if place == "calibration.json":
        training["validation"] = {"counts": {"datasets": ["ffpp"]}}  # which it overrules
        on = {"fingerprints": [f"{9:016}"], "datasets": [name]}
        write_calibration(model, read_config(model).calibration, on)
    (model / "training.json").write_text(json.dumps(training))
    report = evaluate([str(folder / "set")], str(model), tmp_path, split="validation").report
    assert report["data"][0]["calibrated_on"] is False
    told = [note for note in report["notes"] if "not known whether the model was fitted to" in note]
    assert bool(told) == is_told == (not is_fit_known(report["data"][0]))


def test_whom_a_model_or_those_before_it_were_trained_on_is_told_by_any_run(
    folder, tmp_path, no_network
):
    def trained_on(split: str) -> bool:
        (data,) = evaluate([str(folder / "set")], str(model), tmp_path, split=split).report["data"]
        return data["trained_on"]

    model = Path(shutil.copytree(folder / "model", tmp_path / "model"))
    assert trained_on("train")  # an older model, by the fingerprint of its last run
    write_trained_on(model, ["0" * 12])
    assert not trained_on("train")  # of that data it was given the validation split only
    (model / "training.json").write_text("{}")
    clips = ClipStore([str(folder / "copy")], "train").clips
    write_trained_on(model, frozenset().union(*map(digests, clips)))
    assert trained_on("train") and not trained_on("validation")


def test_too_few_people_share_a_promise_only_where_all_were_calibrated_on(result):
    calibration = CalibrationConfig(
        real_below=0.3, fake_above=0.6, false_positive_rate=0.005, false_negative_rate=0.2
    )
    config = dataclasses.replace(TINY_CONFIG, calibration=calibration)
    data = [dict(entry, calibrated_on=True) for entry in result["data"]]
    note, _ = (  # and of celebdf
        note for note in notes(result["figures"], data, config) if "too few to promise" in note
    )
    assert "real videos of" in note and "show 2 groups of people" in note
    assert "a false-positive rate of 0.5% for them alone (that takes 199)" in note


def test_the_pictures_that_the_text_shows_are_there_and_are_not_empty(result, folder):
    text = (folder / "report" / "report.md").read_text()
    named = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert {"roc.png", "reliability.png", "methods.png"} <= set(named)
    for name in named:
        assert np.asarray(Image.open(folder / "report" / name).convert("L")).std() > 5
    assert sorted(named) == sorted(path.name for path in (folder / "report").glob("*.png"))


def test_the_text_holds_the_figures_with_their_intervals(result, folder):
    text = (folder / "report" / "report.md").read_text()
    for figure in (*result["figures"]["video"].values(), result["partial_fakes"]["auc"]):
        if figure["interval"] is not None:
            low, high = figure["interval"]
            assert f"{figure['value']:.3f} ({low:.3f} to {high:.3f})" in text
    assert result["figures"]["mean_of_frames"]["sentence"] in text
    assert "None" not in text and "nan" not in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_the_same_weights_have_the_same_fingerprint_and_others_another():
    detector, other = tiny_detector(), tiny_detector(seed=1)
    known = fingerprint(nnx.state(detector), detector.config)
    assert known == fingerprint(nnx.state(tiny_detector()), detector.config)
    assert known != fingerprint(nnx.state(other), detector.config)
    assert known != fingerprint(nnx.state(detector), tiny_detector(fake_above=0.7).config)
    crops = dataclasses.replace(detector.config.crops, min_detail=0.1)
    config = dataclasses.replace(detector.config, crops=crops)
    assert known != fingerprint(nnx.state(detector), config)


@pytest.mark.usefixtures("no_network")
def test_a_data_set_that_is_given_twice_is_refused(folder):
    with pytest.raises(DatasetError, match="would count as one video.*--name"):
        evaluate(
            [str(folder / "set"), str(folder / "copy")],
            str(folder / "model"),
            folder / "x",
            split="validation",
        )
    with pytest.raises(DatasetError, match="set was given twice"):
        evaluate([str(folder / "set")] * 2, str(folder / "model"), folder / "x", split="validation")


@pytest.mark.usefixtures("no_network")
def test_crops_that_the_model_does_not_see_in_the_app_are_refused(folder, tmp_path):
    source = shutil.copytree(folder / "set", tmp_path / "set")
    manifest = json.loads((source / "dfjax.json").read_text())

    def prepared_with(place: str, **video) -> None:
        manifest["config"]["video"] |= video
        (source / "dfjax.json").write_text(json.dumps(manifest))
        evaluate([str(source / place)], str(folder / "model"), tmp_path / "x", split="validation")

    prepared_with("", num_frames=TINY_CONFIG.video.num_frames - 1)  # which the report states
    for place in ("", "data/validation-00000-of-00001.parquet"):
        with pytest.raises(DatasetError, match="burst_frames 4; .*model takes burst_frames 1"):
            prepared_with(place, burst_frames=4)


@pytest.mark.usefixtures("no_network")
def test_a_parquet_file_alone_has_no_known_failures(folder):
    file = folder / "set" / "data" / "validation-00000-of-00001.parquet"
    evaluation = evaluate(
        [str(file)], str(folder / "model"), folder / "parquet", split="validation"
    )
    result = evaluation.report
    assert result["figures"]["counts"]["videos"] == 6
    assert result["figures"]["failures"]["known"] is False
    assert result["data"][0]["calibrated_on"] is False
    told = " ".join(result["notes"])
    assert "not known whether the model was fitted to validation-00000-of-00001.parquet" in told


@pytest.mark.usefixtures("no_network")
def test_a_split_without_clips_is_refused(folder, tmp_path):
    source = shutil.copytree(folder / "set", tmp_path / "set")
    file = source / "data" / "validation-00000-of-00001.parquet"
    model = str(folder / "model")
    with pytest.raises(DatasetError, match="parquet has no clip of the split 'test'"):
        evaluate([str(file)], model, tmp_path / "x", split="test")
    nothing = {name: [] for name in FEATURES}
    datasets.Dataset.from_dict(nothing, features=FEATURES).to_parquet(file)
    with pytest.raises(DatasetError, match="nothing to measure"):
        evaluate([str(source)], model, tmp_path / "x", split="validation")


@pytest.mark.usefixtures("no_network")
def test_a_model_in_the_home_folder_is_a_local_one(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    command = Evaluate(
        datasets=(str(folder / "set"),), model="~/model", out=tmp_path, split="validation"
    )
    assert command.run() == 0
    model = json.loads((tmp_path / "report.json").read_text())["model"]
    assert (model["id"], model["revision"]) == ("model", None)
    again = evaluate([str(folder / "set")], "~/model", tmp_path, split="validation")
    assert again.report["model"] == model


def test_videos_to_distort_are_found_by_the_name_of_their_source(folder, tmp_path):
    with pytest.raises(DatasetError, match="2 data sets came with 1 folders"):
        evaluate(
            [str(folder / "set"), str(folder / "other")],
            str(folder / "model"),
            tmp_path / "out",
            split="validation",
            roots=(tmp_path,),
        )
    with pytest.raises(DatasetError, match="does not say how its videos were listed"):
        evaluate(
            [str(folder / "set")],
            str(folder / "model"),
            tmp_path / "out",
            split="validation",
            roots=(tmp_path,),
        )


def test_videos_are_not_distorted_without_their_files(folder, tmp_path):
    with pytest.raises(DatasetError, match="Give the folders"):
        evaluate(
            [str(folder / "set")],
            str(folder / "model"),
            tmp_path / "out",
            split="validation",
            optional=(RobustnessStudy(),),
        )


@pytest.mark.parametrize(
    "split, count, words",
    [("validation", 100, "only stills or nothing"), ("train", 0, "0 videos are to be distorted")],
)
def test_distortions_of_nothing_are_refused_before_anything_is_scored(
    folder, tmp_path, monkeypatch, split, count, words
):
    (tmp_path / "files" / "real").mkdir(parents=True)
    (tmp_path / "files" / "real" / "a.mp4").touch()  # alone, and so for training
    source = tmp_path / "set"
    shutil.copytree(folder / "set", source)
    manifest = json.loads((source / "dfjax.json").read_text())
    manifest["source"] = {"name": "folder", "options": {}}
    (source / "dfjax.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(run_module, "read_all_clips", None)
    with pytest.raises(DatasetError, match=words):
        evaluate(
            [str(source)],
            str(folder / "model"),
            tmp_path / "out",
            split=split,
            roots=(tmp_path / "files",),
            optional=(RobustnessStudy(num_videos=count),),
        )


class _Captured(Exception):
    pass


@pytest.mark.usefixtures("no_network")
def test_the_videos_of_the_split_are_distorted_and_each_models_results_kept_apart(
    folder, tmp_path, monkeypatch
):
    """The source is listed again as it was prepared; stills and other splits are left out."""
    videos = tmp_path / "ffpp" / "original_sequences/youtube/c23/videos"
    videos.mkdir(parents=True)
    (tmp_path / "ffpp" / "splits").mkdir()
    for split, pair in (("train", ("000", "003")), ("val", ("010", "011"))):
        (tmp_path / "ffpp" / "splits" / f"{split}.json").write_text(json.dumps([pair]))
        for name in pair:
            (videos / f"{name}.mp4").touch()
    source = tmp_path / "set"
    shutil.copytree(folder / "set", source)
    manifest = json.loads((source / "dfjax.json").read_text())
    manifest["source"] = {"name": "ffpp", "options": {"compressions": ["c23"]}}
    (source / "dfjax.json").write_text(json.dumps(manifest))
    asked = []

    def capture(scorer, videos, calibration, *, kinds, on_video):
        asked.append(([video.key for video in videos], kinds, scorer.folder))
        raise _Captured

    monkeypatch.setattr(robustness, "measure_robustness", capture)
    tiny_detector(seed=1).save_pretrained(tmp_path / "other")
    for model in (folder / "model", tmp_path / "other"):
        with pytest.raises(_Captured):
            evaluate(
                [str(source)],
                str(model),
                tmp_path / "out",
                split="validation",
                roots=(tmp_path / "ffpp",),
                optional=(RobustnessStudy(kinds=("blur",), num_videos=4),),
            )
    (keys, kinds, first), (_, _, second) = asked
    assert sorted(keys) == ["ffpp/youtube/c23/010", "ffpp/youtube/c23/011"]
    assert kinds == ("blur",)
    assert first != second and first.parent == second.parent == tmp_path / "out" / "distorted"
