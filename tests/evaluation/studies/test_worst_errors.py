import dataclasses
import json

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.evaluation.scoring import Look
from dfjax.evaluation.studies.worst_errors import NUM_EXAMPLES, WorstErrorsStudy
from dfjax.json_values import dumps
from tests.evaluation.clips import scored_clip, scored_set, study_context

CALIBRATION = CalibrationConfig(scale=1.0, bias=0.0, real_below=0.5, fake_above=0.7)


def _worst(clips) -> dict:
    return WorstErrorsStudy().measure(study_context(scored=clips, calibration=CALIBRATION))


def test_the_worst_of_each_class_come_first_and_only_errors_are_called_wrong():
    clips = scored_set(20, apart=2.0)
    found = _worst(clips)
    assert json.loads(dumps(found)) == found
    real = sorted((c.clip_logit for c in clips if not c.row.is_fake), reverse=True)
    fake = sorted(c.clip_logit for c in clips if c.row.is_fake)
    line = np.log(0.7 / 0.3)
    errors = ("real", real, lambda z: z > line), ("fake", fake, lambda z: z < line)
    assert any(0 < z < line for z in (*real[:NUM_EXAMPLES], *fake[:NUM_EXAMPLES]))
    for label, logits, wrong in errors:
        expected = [1 / (1 + np.exp(-logit)) for logit in logits[:NUM_EXAMPLES]]
        np.testing.assert_allclose(
            [entry["probability_fake"] for entry in found[label]], expected, atol=1e-6
        )
        assert [entry["is_wrong"] for entry in found[label]] == [
            wrong(logit) for logit in logits[:NUM_EXAMPLES]
        ]


def test_what_sets_a_face_apart_is_told_in_words():
    clips = [scored_clip(f"{number:03}", logit=-float(number)) for number in range(12)]
    dark = dataclasses.replace(clips[0], look=Look(sharpness=100.0, brightness=9.0), clip_logit=9.0)
    small = scored_clip("013", logit=8.0, boxes_xyxy=np.tile(np.array([0, 0, 20, 20]), (4, 1)))
    second = dataclasses.replace(small, row=dataclasses.replace(small.row, track_id=1))
    first, next_, *_ = _worst([dark, *clips[1:], small, second])["real"]
    assert (first["traits"], next_["traits"]) == (["dark"], ["small face", "several faces"])


def test_nothing_is_said_of_an_empty_class():
    assert _worst([scored_clip()])["fake"] == []
