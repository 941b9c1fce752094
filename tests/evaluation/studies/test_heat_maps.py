import dataclasses

import numpy as np
import pytest

from dfjax.data.clip_row import ClipRow
from dfjax.evaluation.occlusion import covered, heat_map, hottest
from dfjax.evaluation.scoring import Look, ScoredClip
from dfjax.evaluation.studies import heat_maps
from dfjax.evaluation.studies.heat_maps import HeatMapsStudy
from tests.evaluation.clips import clip_row, study_context

SIZE, PATCH, NUM_CLIPS = 64, 16, 12


def planted(number: int, *, is_fake: int) -> tuple[ClipRow, np.ndarray]:
    """A clip of smooth frames with a patch of stripes in a place of its own, and where that is."""
    rng = np.random.default_rng([number, is_fake])
    top, left = rng.integers(0, SIZE - PATCH, 2)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[top : top + PATCH, left : left + PATCH] = True
    stripes = np.where(np.arange(SIZE)[:, None] // 2 % 2, 200, 60)
    frame = np.where(mask, stripes, 128).astype(np.uint8)
    row = clip_row(
        f"{number:03}",
        size=SIZE,
        is_fake=is_fake,
        group=f"ffpp/{number}",
        frames=np.repeat(frame[None, :, :, None], 4, 0).repeat(3, -1),
    )
    return row, np.repeat(mask[None], 4, 0)


def detail(frames: np.ndarray) -> np.ndarray:
    """Returns how much the rows of pixels differ, [n, S - 1, S]."""
    return np.abs(np.diff(frames[..., 0].astype(np.float64), axis=1))


def sees_stripes(frames: np.ndarray) -> np.ndarray:
    return detail(frames).mean(axis=(1, 2)) - 0.2


def sees_nothing(frames: np.ndarray) -> np.ndarray:
    return 1 + np.sin(1e4 * frames.mean(axis=(1, 2, 3)))


def score_with(see):
    def score(rows, stage=None):
        del stage
        return [
            ScoredClip(
                row=dataclasses.replace(row, frames=row.frames[:0]),
                look=Look(sharpness=0.0, brightness=0.0),
                frame_logits=see(row.frames),
                clip_logit=0.0,
            )
            for row in rows
        ]

    return score


def measure(monkeypatch, see, num_clips: int = NUM_CLIPS) -> dict:
    rows = [planted(n, is_fake=n % 2)[0] for n in range(2 * num_clips)]
    monkeypatch.setattr(
        heat_maps,
        "_self_blended",
        lambda context, real: [planted(int(row.video_id), is_fake=0) for row in real],
    )
    score = score_with(see)
    context = study_context(score=score, scored=score(rows), rows=lambda: iter(rows))
    return HeatMapsStudy(num_clips=num_clips).measure(context)


def test_a_map_is_hottest_where_the_logit_comes_from():
    for number in range(4):
        row, masks = planted(number, is_fake=1)
        crop = row.frames[0]
        logits = sees_stripes(np.concatenate([crop[None], covered(crop)]))
        found = heat_map(logits[0] - logits[1:], SIZE)
        assert found.shape == (SIZE, SIZE) and found.dtype == np.float32
        assert masks[0][np.unravel_index(np.argmax(found), found.shape)]
        assert masks[0][hottest(found, 0.02)].mean() > 0.6


def test_every_map_gives_an_area_of_the_same_size():
    for map in (np.zeros((SIZE, SIZE)), np.random.default_rng(0).normal(size=(SIZE, SIZE))):
        assert hottest(map, 0.2).sum() == round(0.2 * SIZE**2)


def test_maps_of_a_detector_that_sees_the_fake_pass(monkeypatch):
    result = measure(monkeypatch, sees_stripes)
    assert result["fakes"]["frames"] == result["blends"]["frames"] == NUM_CLIPS
    assert result["pointing"]["mask"]["own"]["value"] > 0.8
    assert result["fakes"]["deletion"]["other"]["value"] > 0.9
    assert result["passed"]
    assert "All of it is better" in HeatMapsStudy().section(result, "validation")


def test_maps_of_a_detector_that_guesses_do_not_pass(monkeypatch):
    result = measure(monkeypatch, sees_nothing)
    difference = result["pointing"]["mask"]["difference"]["interval"]
    assert difference[0] <= 0
    assert not result["passed"]
    assert "no heat map is shown" in HeatMapsStudy().section(result, "validation")


@pytest.mark.parametrize("num_clips", [1, 2])
def test_with_too_few_clips_nothing_has_passed(monkeypatch, num_clips):
    result = measure(monkeypatch, sees_stripes, num_clips)
    assert not result["passed"]
    text = HeatMapsStudy().section(result, "validation")
    assert "no heat map is shown" in text
    assert ("—" in text) == (num_clips == 1)  # there is no other face's map


def test_a_blend_shows_its_source_in_its_mask_and_nowhere_else(monkeypatch):
    context = study_context()
    num_frames = context.config.video.num_frames
    weights = np.zeros((1, num_frames, 32, 32, 1), np.float32)
    weights[:, :, 8:20, 4:12] = 0.75

    def blend(keys, clips, landmarks, frame_mask):
        assert clips.shape[1] == landmarks.shape[1] == frame_mask.shape[1] == num_frames
        assert frame_mask.sum() == 3
        return np.zeros_like(clips), clips, weights

    monkeypatch.setattr(heat_maps, "_blend", blend)
    row = clip_row("007", num_frames=3, size=32)
    ((blended, masks),) = heat_maps._self_blended(context, [row])
    np.testing.assert_array_equal(masks, weights[0, :3, ..., 0] > 0)
    np.testing.assert_array_equal(blended.frames[~masks], row.frames[~masks])
    np.testing.assert_array_equal(blended.frames[masks], np.round(0.25 * row.frames[masks]))
