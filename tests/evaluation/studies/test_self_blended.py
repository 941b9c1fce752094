import numpy as np
import pytest

from dfjax.data.prepared import read_clips
from dfjax.evaluation.studies.self_blended import METHOD, SelfBlendedStudy, self_blended
from tests.evaluation.clips import score_clips, study_context
from tests.tiny import tiny_detector
from tests.training.prepared_set import NUM_FRAMES, write_prepared


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list:
    prepared = write_prepared(tmp_path_factory.mktemp("blended"), groups=16, stills=8)
    return list(read_clips(prepared, "validation"))


def test_each_real_clip_gives_one_fake_and_always_the_same(rows):
    real = [row for row in rows if not row.is_fake]
    first, second = (list(self_blended(rows, NUM_FRAMES)) for _ in range(2))
    assert [row.video_id for row in first] == [row.video_id for row in real]
    for row, blended, again in zip(real, first, second, strict=True):
        assert (blended.method, blended.is_fake, blended.group) == (METHOD, 1, row.group)
        assert blended.frames.shape == row.frames.shape and blended.frames.dtype == np.uint8
        assert not np.array_equal(blended.frames, row.frames)
        np.testing.assert_array_equal(blended.frames, again.frames)


def test_the_figures_are_of_real_videos_and_as_many_blended_ones(rows):
    detector = tiny_detector()
    context = study_context(
        score=lambda rows, stage=None: score_clips(detector, rows),
        scored=score_clips(detector, rows),
        rows=lambda: iter(rows),
    )
    measured = SelfBlendedStudy().measure(context)
    assert measured["real"] == measured["fake"] == sum(not row.is_fake for row in rows)
    assert 0 <= measured["auc"]["value"] <= 1
    assert measured["mean_of_frames"]["auc"]["interval"] is not None
