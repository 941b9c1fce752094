import dataclasses

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.evaluation.studies.mirrored import MirroredStudy, mirrored
from tests.evaluation.clips import clip_row, scored_clip, study_context

SIZE = 32


def _score_right_half(rows, stage=None):
    """Stands for a detector that sees how bright the right half of a crop is."""
    clips = []
    for row in rows:
        values = row.frames[:, :, SIZE // 2 :].mean(axis=(1, 2, 3)) - 100
        clip = scored_clip(logit=float(values.mean()), frame_logits=values)
        bare = dataclasses.replace(row, frames=row.frames[:0])
        clips.append(dataclasses.replace(clip, row=bare))
    return clips


def _row(is_fake: int, number: int, *, left: int, right: int, num_frames: int = 2):
    frames = np.full((num_frames, SIZE, SIZE, 3), left, np.uint8)
    frames[:, :, SIZE // 2 :] = right
    return clip_row(
        f"{number:03}",
        num_frames=num_frames,
        frames=frames,
        is_fake=is_fake,
        method="Deepfakes" if is_fake else "youtube",
    )


def _measure(rows, **calibration):
    context = study_context(
        score=_score_right_half,
        scored=_score_right_half(rows),
        rows=lambda: iter(rows),
        calibration=CalibrationConfig(real_below=0.4, fake_above=0.6, **calibration),
    )
    return MirroredStudy().measure(context)


def test_mirroring_twice_gives_the_same_clip():
    row = clip_row()
    (once,) = mirrored([row])
    (twice,) = mirrored([once])
    assert not np.array_equal(once.frames, row.frames)
    np.testing.assert_array_equal(twice.frames, row.frames)


def test_a_detector_that_does_not_see_the_side_changes_no_verdict():
    rows = [_row(f, n, left=90 + 20 * f, right=90 + 20 * f) for n in range(6) for f in (0, 1)]
    result = _measure(rows)
    assert result["changed"]["value"] == result["reversed"]["value"] == 0
    assert result["per_dataset"][0]["gain"]["value"] == 0


def test_the_mean_sees_what_is_on_the_other_side():
    # What gives the fakes away is on the left; the right half misleads.
    rows = [_row(f, n, left=90 + 60 * f, right=110 - 20 * f) for n in range(6) for f in (0, 1)]
    result = _measure(rows)
    assert result["changed"]["value"] == result["reversed"]["value"] == 1
    (row,) = result["per_dataset"]
    assert (row["auc"]["value"], row["auc_of_mean"]["value"]) == (0, 1)
    assert row["gain"]["value"] == pytest.approx(1)
    section = MirroredStudy().section(result, "validation")
    assert "Mirror images" in section and "6" in section


def test_what_is_scored_both_ways_round_does_not_count_as_unchanged():
    videos = [_row(f, n, left=90 + 60 * f, right=110 - 20 * f) for n in range(6) for f in (0, 1)]
    pictures = [_row(f, n + 6, left=90, right=90, num_frames=1) for n in range(5) for f in (0, 1)]
    result = _measure([*videos, *pictures], mirror_bursts=True)
    assert (result["one_way"], result["both_ways"]) == (12, 10)
    assert result["changed"]["value"] == 1
    section = " ".join(MirroredStudy().section(result, "validation").split())
    assert "of 12 videos;" in section and "10 others are pictures" in section
    # Where nothing is scored both ways, all are counted.
    result = _measure([*videos, *pictures])
    assert (result["one_way"], result["both_ways"]) == (22, 0)
    assert result["changed"]["value"] == pytest.approx(12 / 22)
    assert "of the videos;" in " ".join(MirroredStudy().section(result, "validation").split())
    result = _measure(pictures, mirror_bursts=True)
    assert (result["one_way"], result["both_ways"]) == (0, 10)
    assert result["changed"]["value"] == 0
    assert "10 of them are pictures" in " ".join(
        MirroredStudy().section(result, "validation").split()
    )
