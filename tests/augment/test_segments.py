import functools

import jax
import numpy as np

from dfjax.augment.segments import partial_frames
from dfjax.train_config import BlendConfig

NUM_FRAMES = 12


@functools.cache
def _draws() -> tuple[np.ndarray, np.ndarray]:
    """Returns frame masks with 0 to 12 frames present, and the frames that were drawn."""
    generator = np.random.default_rng(0)
    frame_mask = generator.random((3000, NUM_FRAMES)) < generator.random((3000, 1))
    frame_mask[:500] = True
    keys = jax.random.split(jax.random.key(0), len(frame_mask))
    return frame_mask, np.asarray(jax.jit(partial_frames)(keys, frame_mask))


def _num_segments(drawn: np.ndarray) -> int:
    return int(np.sum(np.diff(drawn.astype(int), prepend=0) == 1))


def test_frames_that_are_absent_are_never_drawn():
    frame_mask, drawn = _draws()
    assert not drawn[~frame_mask].any()


def test_some_frames_are_drawn_and_some_are_not():
    frame_mask, drawn = _draws()
    present, fake = frame_mask.sum(1), drawn.sum(1)
    several = present >= 2
    assert (fake[several] >= 1).all()
    assert (fake[several] < present[several]).all()
    np.testing.assert_array_equal(fake[~several], present[~several])


def test_frames_lie_in_one_segment_or_in_two():
    frame_mask, drawn = _draws()
    segments = np.array(
        [
            _num_segments(row[mask])
            for row, mask in zip(drawn, frame_mask, strict=True)
            if mask.any()
        ]
    )
    assert set(segments) == {1, 2}
    share_of_two = np.mean([_num_segments(row) == 2 for row in drawn[:500]])
    assert abs(share_of_two - BlendConfig().two_segments) < 0.1


def test_two_segments_are_two_wherever_there_are_frames_for_them():
    frame_mask, _ = _draws()
    config = BlendConfig(two_segments=1.0)
    draw = jax.jit(functools.partial(partial_frames, config=config))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(1), len(frame_mask)), frame_mask))
    for row, mask in zip(drawn, frame_mask, strict=True):
        if row.sum() > 1 and mask.sum() > row.sum():
            assert _num_segments(row[mask]) == 2


def test_the_share_of_frames_is_the_one_asked_for():
    _, drawn = _draws()
    shares = drawn[:500].mean(1)
    low, high = BlendConfig().partial_share
    half_a_frame = 0.5 / NUM_FRAMES
    assert low - half_a_frame <= shares.min() < low + 0.1
    assert high - 0.1 < shares.max() <= high + half_a_frame


def test_every_frame_can_be_drawn_and_left():
    _, drawn = _draws()
    often = drawn[:500].mean(0)
    assert often.min() > 0.1
    assert often.max() < 0.9
