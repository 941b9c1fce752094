import numpy as np
import pytest

from dfjax.data.prepared import read_clips
from dfjax.evaluation.studies.self_blended import METHOD, SelfBlendedStudy, self_blended
from tests.evaluation.clips import score_clips, study_context
from tests.tiny import tiny_detector
from tests.training.prepared_set import NUM_FRAMES, write_prepared

pytestmark = pytest.mark.usefixtures("blends_soon")


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list:
    prepared = write_prepared(tmp_path_factory.mktemp("blended"), groups=16, stills=8)
    return list(read_clips(prepared, "validation"))


def test_each_real_clip_gives_one_fake_beside_what_it_was_blended_into_and_always_the_same(rows):
    given = [row for row in rows if not row.is_fake]
    first, second = (list(self_blended(rows, NUM_FRAMES)) for _ in range(2))
    for row, real, fake in zip(given, first[0::2], first[1::2], strict=True):
        assert (real.video, real.is_fake, real.group) == (row.video, 0, row.group)
        assert (fake.method, fake.is_fake, fake.group) == (METHOD, 1, row.group)
        assert fake.video_id == fake.original_id == row.video_id
        for made in (real, fake):
            assert made.frames.shape == row.frames.shape and made.frames.dtype == np.uint8
        assert not np.array_equal(fake.frames, real.frames)
    for made, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(made.frames, again.frames)


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
