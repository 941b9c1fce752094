"""A study is one object: what it measures, says and draws goes wherever reports go."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from dfjax.evaluation import studies
from dfjax.evaluation.run import evaluate
from dfjax.evaluation.studies.study import Study
from dfjax.models.pretrained import read_config
from dfjax.reporting.card import model_card
from dfjax.reporting.report import write_report
from tests.checkpoint import write_checkpoint
from tests.training.prepared_set import write_prepared


class _NumFramesStudy(Study):
    name = "num_frames"

    def measure(self, context):
        return {
            "split": context.split,
            "frames": sum(len(row.frames) for row in context.rows()),
            "logits": sum(len(clip.frame_logits) for clip in context.score(context.rows())),
        }

    def section(self, result, split):
        return f"## Toy\n\n{result['frames']} frames of {split}\n\n![Toy](toy.png)"

    def pictures(self, result, caption):
        figure = Figure()
        figure.suptitle(caption)
        return {"toy": figure}


class _UnaskedStudy(_NumFramesStudy):
    name = "unasked"
    optional = True


def test_a_new_study_is_measured_and_shown_in_the_report_and_in_the_card(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(studies, "STUDIES", (_NumFramesStudy(), _UnaskedStudy()))
    write_prepared(tmp_path / "set", groups=8, stills=0)
    model = write_checkpoint(tmp_path / "model")
    evaluation = evaluate(
        [str(tmp_path / "set")], str(model), tmp_path / "report", split="validation"
    )
    write_report(evaluation, tmp_path / "report")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    found = report["num_frames"]
    frames = report["figures"]["counts"]["frames"]
    assert found == {"split": "validation", "frames": frames, "logits": frames}
    assert report["unasked"] is None and "slices" not in report
    training = json.loads((model / "training.json").read_text())
    card = model_card(read_config(model), training=training, evaluation=report)
    for text in ((tmp_path / "report" / "report.md").read_text(), card):
        assert text.count("## Toy") == 1 and f"{frames} frames of validation" in text
    assert "![Toy](figures/toy.png)" in card
    assert (tmp_path / "report" / "toy.png").stat().st_size > 0


def test_a_report_from_before_a_study_is_shown_without_it():
    assert [study.name for study, _ in studies.results({"slices": [], "robustness": None})] == [
        "slices"
    ]


def test_no_two_studies_share_a_name():
    names = [study.name for study in studies.STUDIES]
    assert len(set(names)) == len(names)
