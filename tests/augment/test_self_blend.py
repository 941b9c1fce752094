import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.augment.self_blend import Blend, BlendParts, blend_parts, self_blend
from dfjax.train_config import BlendConfig
from tests.augment.faces import face_clips
from tests.compiling import COMPILE_SOON

NUM_CLIPS, NUM_FRAMES, SIZE = 16, 3, 64
CONFIG = BlendConfig(generated=0.0)


@functools.partial(jax.jit, compiler_options=COMPILE_SOON)
def _blend(keys, clips, landmarks, frame_mask, segments) -> tuple[Blend, BlendParts]:
    arguments = keys, clips, landmarks, frame_mask, CONFIG
    return self_blend(*arguments, segments=segments), blend_parts(*arguments)


def _run(
    *,
    clips: np.ndarray | None = None,
    frame_mask: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> tuple[np.ndarray, Any]:
    """Returns the fakes of still clips, and their parts, as numpy arrays."""
    pairs, parts = _run_pairs(clips=clips, frame_mask=frame_mask, segments=segments, order=order)
    return pairs.fake, parts


def _run_pairs(
    *,
    clips: np.ndarray | None = None,
    frame_mask: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> tuple[Any, Any]:
    """Returns fakes of still clips beside their real clips, and their parts, as numpy arrays."""
    still, landmarks = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    everywhere = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    keys = jax.random.split(jax.random.key(0), NUM_CLIPS)
    results = _blend(
        keys if order is None else keys[order],
        still if clips is None else clips,
        landmarks,
        everywhere if frame_mask is None else frame_mask,
        everywhere if segments is None else segments,
    )
    return jax.tree.map(np.asarray, results)


def _motion(clips: np.ndarray) -> np.ndarray:
    """Returns the mean change from frame to frame in each clip."""
    return np.abs(np.diff(clips, axis=1)).mean((1, 2, 3, 4))


def test_of_still_clips_some_fakes_stay_still_and_the_others_drift():
    blended, parts = _run()
    moves = _motion(parts.sources) > 0
    assert 0.2 < moves.mean() < 0.8
    np.testing.assert_array_equal(_motion(blended) > 0, moves)
    np.testing.assert_array_equal(_motion(parts.masks) > 0, moves)
    assert _motion(parts.targets).max() == 0


def test_outside_of_the_mask_a_fake_is_as_its_real_clip():
    pairs, parts = _run_pairs()
    outside = np.broadcast_to(parts.masks == 0, pairs.fake.shape)
    assert outside.mean((1, 2, 3, 4)).min() > 0.3
    np.testing.assert_array_equal(pairs.fake[outside], pairs.real[outside])
    np.testing.assert_array_equal(pairs.real, parts.targets.round())


def test_inside_of_the_mask_every_fake_can_be_seen():
    blended, parts = _run()
    change = np.abs(blended - parts.targets).mean(-1)
    shapes = parts.masks / parts.masks.max((1, 2, 3, 4), keepdims=True)
    mean_change = change.sum((1, 2, 3)) / shapes.sum((1, 2, 3, 4))
    assert mean_change.min() > 0.9 * CONFIG.min_change


def test_in_some_fakes_the_face_is_changed_and_in_others_what_is_around_it():
    clips, _ = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    _, parts = _run()
    is_kept = (parts.targets == clips).all((1, 2, 3, 4))
    assert 0 < is_kept.sum() < NUM_CLIPS


def test_the_strongest_part_of_a_mask_is_one_of_the_ratios():
    _, parts = _run()
    highest = parts.masks.max((1, 2, 3, 4))
    nearest = np.abs(highest[:, None] - np.array(CONFIG.ratios)).min(1)
    assert nearest.max() < 0.01
    assert len(np.unique(highest.round(2))) > 2
    assert parts.masks.min() >= 0


def test_fakes_are_pixels_of_eight_bits():
    blended, _ = _run()
    np.testing.assert_array_equal(blended, blended.round().clip(0, 255))


def test_absent_frames_stay_and_do_not_change_the_others():
    clips, _ = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    frame_mask = np.tile([True, False, True], (NUM_CLIPS, 1))
    first, _ = _run(clips=clips, frame_mask=frame_mask)
    np.testing.assert_array_equal(first[:, 1], clips[:, 1])
    assert (first[:, 0] != clips[:, 0]).any((1, 2, 3)).all()
    clips[:, 1] = 17.0
    other, _ = _run(clips=clips, frame_mask=frame_mask)
    np.testing.assert_array_equal(other[:, [0, 2]], first[:, [0, 2]])


def test_frames_between_segments_are_as_in_the_real_clip():
    segments = np.tile([True, False, True], (NUM_CLIPS, 1))
    pairs, _ = _run_pairs(segments=segments)
    np.testing.assert_array_equal(pairs.fake[:, 1], pairs.real[:, 1])
    np.testing.assert_array_equal(pairs.fake[:, [0, 2]], _run()[0][:, [0, 2]])


def test_black_around_a_picture_stays_black_and_its_edge_where_it_is():
    clips, _ = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    clips = np.maximum(clips, 1.0)
    edge = SIZE // 2  # through the middle of the face
    clips[..., :edge, :] = 0
    pairs, parts = _run_pairs(clips=clips)
    for made in (pairs.real, pairs.fake):
        assert made[..., :edge, :].max() == 0
    assert np.abs(pairs.fake[..., edge, :] - pairs.real[..., edge, :]).max() <= 1
    assert (parts.masks.max((1, 2, 3, 4)) > 0).all()
    # A filter that takes black into the picture would darken what lies next to its edge.
    light = pairs.real[..., edge, :].mean((1, 2, 3)) / pairs.real[..., edge:, :].mean((1, 2, 3, 4))
    plain = clips[..., edge, :].mean((1, 2, 3)) / clips[..., edge:, :].mean((1, 2, 3, 4))
    assert np.abs(light / plain - 1).max() < 0.15


def test_a_fake_hangs_on_its_key_and_not_on_its_place():
    blended, _ = _run()
    order = np.random.default_rng(0).permutation(NUM_CLIPS)
    np.testing.assert_array_equal(_run(order=order)[0], blended[order])
    assert len(np.unique(blended, axis=0)) == NUM_CLIPS


def test_eight_devices_equal_one():
    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    clips, landmarks = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    everywhere = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    keys = jax.random.split(jax.random.key(0), NUM_CLIPS)
    arguments = jax.device_put((keys, clips, landmarks, everywhere, everywhere), split)
    (_, blended), parts = _blend(*arguments)
    assert len(blended.sharding.device_set) == 8
    expected, expected_parts = _run()
    np.testing.assert_allclose(parts.masks, expected_parts.masks, atol=1e-4)
    difference = np.abs(np.asarray(blended) - expected)
    assert difference.max() <= 1  # a half that was rounded the other way
    assert difference.mean() < 1e-3


def test_a_still_picture_can_be_blended():
    shapes = (jax.random.split(jax.random.key(0), 2), jnp.zeros((2, 1, SIZE, SIZE, 3)))
    rest = jnp.zeros((2, 1, 5, 2)), jnp.ones((2, 1), bool)
    assert jax.eval_shape(self_blend, *shapes, *rest).fake.shape == (2, 1, SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"drifting": 1.2}, "drifting is 1.2; it is a share"),
        ({"max_hue": -1.0}, "max_hue is -1.0; it must be at least 0"),
        ({"min_resolution": 0.0}, r"min_resolution is 0.0; it must be in \(0, 1\]"),
        ({"ratios": ()}, "it needs at least one number"),
        ({"ratios": (0.0, 1.0)}, r"all in \(0, 1\]"),
        ({"max_erosion": 1.0}, "nothing is left of the mask"),
        ({"partial_share": (0.8, 0.2)}, "it needs a lower and an upper limit"),
    ],
)
def test_a_config_out_of_range_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        BlendConfig(**values)
