import dataclasses

import numpy as np
import pytest

from dfjax.evaluation.studies.partial_fakes import (
    MAX_SHARE,
    MIN_SHARE,
    PartialFakesStudy,
    blend_in_time,
    partial_fakes,
)
from tests.evaluation.clips import clip_row, stripe_score, study_context
from tests.training.prepared_set import METHODS, NUM_FRAMES, write_prepared


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> str:
    """Fakes are their originals with a red stripe; two groups in the validation split."""
    return write_prepared(tmp_path_factory.mktemp("partial"), groups=8, stills=4)


def _pair(number: int, num_frames: int = 32):
    original = clip_row(f"{number:03}", num_frames=num_frames)
    fake = dataclasses.replace(
        original, method="Deepfakes", is_fake=1, frames=255 - original.frames
    )
    return fake, original


def test_one_stretch_is_of_the_fake_and_the_rest_of_the_original():
    shares, starts = [], []
    for number in range(60):
        fake, original = _pair(number)
        partial = blend_in_time(fake, original)
        assert partial is not None
        is_fake = partial.frame_is_fake
        np.testing.assert_array_equal(partial.row.frames[is_fake], fake.frames[is_fake])
        np.testing.assert_array_equal(partial.row.frames[~is_fake], original.frames[~is_fake])
        changes = np.flatnonzero(np.diff(is_fake.astype(int)))
        assert len(changes) <= 2
        assert len(changes) == 2 or is_fake[0] != is_fake[-1]
        shares.append(is_fake.mean())
        starts.append(int(np.argmax(is_fake)))
    assert MIN_SHARE <= min(shares) < 0.3 and 0.7 < max(shares) <= MAX_SHARE
    assert len(set(starts)) > 10


def test_a_pair_always_gives_the_same_clip():
    first, second = (blend_in_time(*_pair(7)) for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.frame_is_fake, second.frame_is_fake)


def test_only_moments_that_both_show_are_used():
    fake, original = _pair(0)
    kept = np.arange(0, 32, 3)
    seldom = dataclasses.replace(
        original,
        frame_indices=kept,
        timestamps=original.timestamps[kept],
        boxes_xyxy=original.boxes_xyxy[kept],
        frames=original.frames[kept],
    )
    partial = blend_in_time(fake, seldom)
    assert partial is not None
    np.testing.assert_array_equal(partial.row.frame_indices, kept)
    still_fake = partial.frame_is_fake
    np.testing.assert_array_equal(partial.row.frames[still_fake], fake.frames[kept[still_fake]])


def test_another_persons_face_and_too_few_frames_make_no_pair():
    fake, original = _pair(0)
    elsewhere = dataclasses.replace(original, boxes_xyxy=original.boxes_xyxy + 300)
    assert blend_in_time(fake, elsewhere) is None
    assert blend_in_time(*_pair(0, num_frames=3)) is None


def test_every_fake_of_the_split_with_its_original_gives_one(prepared):
    partials = list(partial_fakes(prepared, "validation"))
    assert len(partials) == 2 * len(METHODS)  # not the stills
    for partial in partials:
        striped = (partial.row.frames[:, 15, :, 0] == 255).all(axis=1)
        np.testing.assert_array_equal(striped, partial.frame_is_fake)


def test_a_detector_that_sees_the_manipulation_is_told_from_one_that_does_not(prepared):
    seeing, blind = (
        PartialFakesStudy().measure(
            study_context(score=stripe_score(by_stripe), sources=[prepared])
        )
        for by_stripe in (True, False)
    )
    assert (seeing["clips"], seeing["frames"]) == (4, 4 * NUM_FRAMES)
    assert seeing["auc"]["value"] == seeing["auc_within_clips"]["value"] == 1
    assert blind["auc"]["value"] == blind["auc_within_clips"]["value"] == 0.5


def test_a_split_without_pairs_says_so(tmp_path):
    stills = write_prepared(tmp_path, groups=0, stills=4)
    measured = PartialFakesStudy().measure(study_context(sources=[stills]))
    assert measured["clips"] == 0
    reason = "no fake of the split has its original in the data set"
    assert measured["auc"]["reason"] == reason
    assert f"Not measured: {reason}." in PartialFakesStudy().section(measured, "validation")
