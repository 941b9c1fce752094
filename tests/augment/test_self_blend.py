import dataclasses
import functools
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.augment.donors import Donors
from dfjax.augment.resample import pixel_middles
from dfjax.augment.self_blend import (
    Blend,
    BlendParts,
    _draw_motion,
    _Motion,
    _positions_after,
    _positions_before,
    blend_parts,
    self_blend,
)
from dfjax.train_config import BlendConfig
from tests.augment.faces import face_clips
from tests.compiling import COMPILE_SOON

NUM_CLIPS, NUM_FRAMES, SIZE = 16, 3, 64
CONFIG = BlendConfig(generated=0.0)


@functools.partial(jax.jit, compiler_options=COMPILE_SOON)
def _blend_with(keys, clips, landmarks, frame_mask, segments, values) -> tuple[Blend, BlendParts]:
    config: Any = types.SimpleNamespace(**dataclasses.asdict(CONFIG) | values)
    arguments = keys, clips, landmarks, frame_mask, config
    return self_blend(*arguments, segments=segments), blend_parts(*arguments)


def _blend(*arguments, config: BlendConfig = CONFIG) -> tuple[Blend, BlendParts]:
    """Returns blends and parts, with one program for all configs: it takes long to compile."""
    values = dataclasses.asdict(config)
    for fixed in ("max_hue", "max_rotation"):
        assert values.pop(fixed) == getattr(CONFIG, fixed)
    return _blend_with(*arguments, values)


def _run(
    *,
    clips: np.ndarray | None = None,
    frame_mask: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    order: np.ndarray | None = None,
    config: BlendConfig = CONFIG,
) -> tuple[np.ndarray, Any]:
    """Returns the fakes of still clips, and their parts, as numpy arrays."""
    pairs, parts = _run_pairs(
        clips=clips, frame_mask=frame_mask, segments=segments, order=order, config=config
    )
    return pairs.fake, parts


def _run_pairs(
    *,
    clips: np.ndarray | None = None,
    frame_mask: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    order: np.ndarray | None = None,
    config: BlendConfig = CONFIG,
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
        config=config,
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


def _only(**values: Any) -> BlendConfig:
    """Returns the config in which a blend consists of nothing but this, in all frames alike."""
    off = ("colour_probability", "max_tint", "max_saturation", "max_light", "max_contrast")
    off += ("max_sharpening", "max_shift", "max_scale", "max_bend", "max_erosion", "min_change")
    off += ("drifting", "transform_target")
    same = {"min_resolution": 1.0, "ratios": (1.0,) * len(CONFIG.ratios)}
    return dataclasses.replace(CONFIG, **dict.fromkeys(off, 0.0) | same | values)


def test_a_source_moves_within_the_limits_and_its_mask_with_it():
    places = np.arange(SIZE, dtype=np.float32) + 64
    ramps = np.stack([*np.meshgrid(places, places), np.full((SIZE, SIZE), 90)], axis=-1)
    clips = np.tile(ramps.astype(np.float32), (NUM_CLIPS, NUM_FRAMES, 1, 1, 1))
    masks = []
    for limit in (0.0, 0.06):
        _, parts = _run(clips=clips, config=_only(max_shift=limit))
        weights = parts.masks[:, 0] / parts.masks[:, 0].sum((1, 2), keepdims=True)
        masks.append((weights * np.asarray(pixel_middles(SIZE))).sum((1, 2)))
    middle = slice(SIZE // 2 - 1, SIZE // 2 + 1)
    moved = (clips - parts.sources)[:, 0, middle, middle, :2].mean((1, 2))
    np.testing.assert_allclose(masks[1] - masks[0], moved, atol=0.4)
    across, down = np.abs(moved).max(0)
    assert 2 < across <= 0.06 * SIZE + 0.05
    assert 1 < down <= 0.03 * SIZE + 0.05


def test_motion_is_within_its_limits_and_comes_near_to_them():
    draw = jax.vmap(functools.partial(_draw_motion, num_frames=1, config=CONFIG))
    keys = jax.random.split(jax.random.key(0), 64)
    motion = jax.tree.map(np.asarray, jax.jit(draw, compiler_options=COMPILE_SOON)(keys))
    limits = {
        "shift": CONFIG.max_shift * np.array([1, 0.5]),
        "log_scale": CONFIG.max_scale,
        "rotation": np.radians(CONFIG.max_rotation),
        "bend": CONFIG.max_bend,
    }
    for name, limit in limits.items():
        shares = getattr(motion, name) / limit
        assert np.abs(shares).max() <= 1 + 1e-6
        assert shares.min() < -0.9 and shares.max() > 0.9


@functools.partial(jax.jit, compiler_options=COMPILE_SOON)
def _there_and_back(motion: _Motion) -> tuple[jax.Array, jax.Array]:
    """Returns where pixels are from, and where these places end up, both [T, S, S, 2]."""
    sources = _positions_before(motion, SIZE)
    back = _positions_after(motion, sources.reshape(len(sources), -1, 2), SIZE)
    return sources, back.reshape(sources.shape)


def test_where_a_point_ends_up_is_where_the_source_is_taken_from():
    bend = jnp.zeros((1, 8, 8, 2))
    turn = _Motion(jnp.array([[0.1, -0.05]]), jnp.array([0.3]), jnp.array([0.4]), bend)
    sources, back = _there_and_back(turn)
    middles = np.asarray(pixel_middles(SIZE))
    np.testing.assert_allclose(back[0], middles, atol=1e-3)
    # Nearer, clockwise, to the right and upwards: the middle is from the lower left of itself, and
    # what is to the right of it from higher up.
    middle, right = np.asarray(sources)[0, SIZE // 2, [SIZE // 2, SIZE - 1]]
    assert middle[0] < SIZE / 2 and middle[1] > SIZE / 2
    assert right[1] < middle[1] - 5
    assert np.linalg.norm(right - middle) < 0.8 * SIZE / 2


def test_a_bend_is_spread_evenly_over_the_crop():
    places = (np.arange(8) + 0.5) / 8
    bend = np.stack(np.meshgrid(places, places), axis=-1)[None].astype(np.float32)
    still = jnp.zeros((1, 2)), jnp.zeros(1), jnp.zeros(1)
    sources, _ = _there_and_back(_Motion(*still, jnp.asarray(bend)))
    inside = slice(SIZE // 4, -SIZE // 4)
    middles = np.asarray(pixel_middles(SIZE))[inside, inside]
    np.testing.assert_allclose(sources[0, inside, inside], 2 * middles, atol=0.1)


def test_changes_of_colour_leave_the_mean_grey_and_turn_hues_by_no_more_than_asked_for():
    grey = np.full((NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 3), 100, np.float32)
    _, parts = _run(
        clips=grey, config=_only(transform_target=1.0, colour_probability=1.0, max_contrast=0.3)
    )
    np.testing.assert_allclose(parts.targets, grey, atol=0.01)
    skin = grey + np.array([60, 0, -30], np.float32)
    _, parts = _run(clips=skin, config=_only(transform_target=1.0, colour_probability=1.0))
    one, other = (
        x[:, 0, 0, 0] - x[:, 0, 0, 0].mean(-1, keepdims=True) for x in (skin, parts.targets)
    )
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    angles = np.degrees(np.arccos(((one * other).sum(-1) / lengths).clip(-1, 1)))
    assert 5 < angles.max() <= CONFIG.max_hue + 0.1


def test_detail_is_taken_from_about_half_of_the_clips_and_added_to_the_others():
    clips, _ = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    _, parts = _run(
        clips=clips, config=_only(transform_target=1.0, min_resolution=0.25, max_sharpening=0.8)
    )
    detail, before = (np.abs(np.diff(x, axis=3)).mean((1, 2, 3, 4)) for x in (parts.targets, clips))
    less, more = detail < 0.98 * before, detail > 1.02 * before
    assert 0.2 < less.mean() < 0.8 and 0.2 < more.mean() < 0.8


def test_a_mask_is_eroded_by_a_share_of_its_depth_and_as_soft_as_asked_for():
    def mask(**values: Any) -> np.ndarray:
        return _run(config=_only(**values))[1].masks[:, 0, ..., 0]

    whole, eroded = mask(softness=(0.005, 0.005)), mask(softness=(0.005, 0.005), max_erosion=0.5)
    left = eroded.sum((1, 2)) / whole.sum((1, 2))
    assert left.max() < 1 and left.min() < 0.7
    edges = [((m > 0.02) & (m < 0.98)).sum((1, 2)) for m in (whole, mask(softness=(0.035, 0.035)))]
    assert (edges[1] > 2 * edges[0]).all()


def test_black_that_moved_with_the_source_never_comes_into_the_picture():
    clips, _ = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    clips = np.maximum(clips, 60.0)
    edge = SIZE // 2
    clips[..., :edge, :] = 0
    pairs, _ = _run_pairs(clips=clips, config=_only(max_shift=0.2))
    assert pairs.fake[..., edge:, :].min() >= 59
    assert np.abs(pairs.fake - pairs.real).max() > 20


def test_what_a_generator_drew_is_as_strong_as_it_was_drawn():
    weak, strong = (_run(config=_only(generated=1.0, min_change=least))[1] for least in (0.0, 40.0))
    np.testing.assert_array_equal(weak.sources, strong.sources)


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
    assert 0.25 < is_kept.mean() < 0.75


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


def test_a_share_of_the_blends_has_a_donors_face_and_the_real_clip_is_the_original():
    still, places = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)
    clips, landmarks = jnp.minimum(still, 200), jnp.asarray(places)
    mask = jnp.ones((NUM_CLIPS, NUM_FRAMES), bool)
    is_usable = np.arange(NUM_CLIPS) % 4 > 0
    inside = jnp.ones((*clips.shape[:-1], 1))
    others = Donors(jnp.full_like(clips, 250), inside, jnp.asarray(is_usable))
    keys = jax.random.split(jax.random.key(0), NUM_CLIPS)

    @functools.partial(jax.jit, compiler_options=COMPILE_SOON)
    def blended(share):
        values = dataclasses.asdict(_only()) | {"swapped": share}
        config: Any = types.SimpleNamespace(**values)
        return self_blend(keys, clips, landmarks, mask, config, others=others)

    def has_donor(share: float) -> np.ndarray:
        found = blended(share)
        np.testing.assert_array_equal(found.real, np.round(clips))
        return np.asarray(found.fake).max(axis=(1, 2, 3, 4)) > 240

    np.testing.assert_array_equal(has_donor(1.0), is_usable)
    assert not has_donor(0.0).any()
    assert 0 < has_donor(0.5).sum() < is_usable.sum()
