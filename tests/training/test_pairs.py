import dataclasses
from collections import Counter

import numpy as np
import pytest

from dfjax.data.clip_row import ClipInfo
from dfjax.errors import TrainingError
from dfjax.train_config import TrainConfig
from dfjax.training.pairs import PairIndex, choose_frames

CONFIG = TrainConfig(self_blended=0.25, clip_frames=4)


def _clip(video_id: str, method: str = "youtube", *, original: str = "", **fields) -> ClipInfo:
    clip = ClipInfo(
        split="train",
        source_ids=(video_id,),
        track_id=0,
        width=640,
        height=480,
        fps=25.0,
        duration=4.0,
        attributes={},
        timestamps=np.arange(32) / 8,
        boxes_xyxy=np.tile([0, 0, 9, 9], (32, 1)),
        dataset="ffpp",
        method=method,
        compression="c23",
        video_id=video_id,
        original_id=original,
        group=video_id,
        is_fake=int(method != "youtube"),
        num_frames=32,
        frame_indices=np.arange(32),
    )
    return dataclasses.replace(clip, **fields)


def _clips(num_real: int = 77, num_fake: int = 323) -> list[ClipInfo]:
    """The classic imbalance; nine of ten fakes are of one method."""
    reals = [_clip(f"{i:03}") for i in range(num_real)]
    methods = ["Deepfakes" if i % 10 else "FaceSwap" for i in range(num_fake)]
    return reals + [
        _clip(f"f{i:03}", method, original=f"{i % num_real:03}") for i, method in enumerate(methods)
    ]


INDEX = PairIndex.of(_clips(), stills=False)


def _over(steps: int, count: int = 8, config: TrainConfig = CONFIG):
    return [pair for step in range(steps) for pair in INDEX.pairs(count, config, step=step)]


def test_every_fake_stands_beside_the_real_clip_that_it_was_made_from():
    for pair in _over(20):
        assert not INDEX.clips[pair.real].is_fake
        if pair.fake is not None:
            assert INDEX.clips[pair.fake].original_id == INDEX.clips[pair.real].video_id
            assert pair.is_aligned


def test_self_blends_are_a_fixed_share_and_a_rare_method_is_not_crowded_out():
    # 290 groups are known from Deepfakes and 33 from FaceSwaps: 17 turns and 6.
    kinds = Counter(
        "blend" if pair.fake is None else INDEX.clips[pair.fake].method for pair in _over(40)
    )
    assert kinds == {"blend": 80, "Deepfakes": 177, "FaceSwap": 63}


def test_a_data_set_has_more_turns_the_larger_it_is_but_does_not_crowd_out_the_others():
    clips = [_clip(f"{i:03}") for i in range(3)]
    clips += [_clip(f"{i:03}", dataset="dfdc-faces") for i in range(90)]
    index = PairIndex.of(clips, stills=False)
    config = dataclasses.replace(CONFIG, self_blended=1.0)
    pairs = [pair for step in range(60) for pair in index.pairs(3, config, step=step)]
    # The square roots of 3 and 90 are about two and nine.
    of_sets = Counter(clips[p.real].dataset for p in pairs)
    assert of_sets["ffpp"] == pytest.approx(180 * 2 / 11, abs=2)
    assert of_sets["dfdc-faces"] == 180 - of_sets["ffpp"]
    of_small = Counter(p.real for p in pairs if p.real < 3).values()
    assert max(of_small) - min(of_small) <= 1
    assert len({p.real for p in pairs if p.real >= 3}) == 90


def test_within_a_round_no_person_is_shown_twice_and_all_are():
    pairs = _over(600)
    blended = [INDEX.clips[pair.real].group for pair in pairs if pair.fake is None]
    people = {clip.group for clip in INDEX.clips if not clip.is_fake}
    for start in (0, 77):
        assert {*blended[start : start + 77]} == people
    assert blended[:77] != blended[77:154]


def test_a_person_is_shown_in_one_clip_after_the_other():
    clips = [_clip("one"), *(_clip(f"{i}", group="other") for i in range(5))]
    index = PairIndex.of(clips, stills=False)
    config = dataclasses.replace(CONFIG, self_blended=1.0)
    shown = [pair.real for step in range(10) for pair in index.pairs(1, config, step=step)]
    assert Counter(clips[row].group for row in shown) == {"one": 5, "other": 5}
    assert {row for row in shown if row > 0} == {1, 2, 3, 4, 5}


def test_a_share_of_few_pairs_is_kept_over_the_steps():
    for count, share in ((1, 0.5), (3, 0.25)):
        config = dataclasses.replace(CONFIG, self_blended=share)
        pairs = [pair for step in range(8) for pair in INDEX.pairs(count, config, step=step)]
        assert sum(pair.fake is None for pair in pairs) == 8 * count * share
        # No turn is left out where a step has fewer than another.
        blended = [pair.real for pair in pairs if pair.fake is None]
        assert len({INDEX.clips[row].group for row in blended}) == len(blended)


def test_single_pictures_may_have_a_share_of_their_own():
    still = {"num_frames": 1, "frame_indices": np.zeros(1, np.int64), "timestamps": np.zeros(1)}
    clips = [_clip("000", **still), _clip("f", "Deepfakes", original="000", **still)]
    index = PairIndex.of(clips, stills=True)
    config = dataclasses.replace(CONFIG, self_blended=1.0, still_self_blended=0.25)
    assert sum(pair.fake is None for pair in index.pairs(8, config, step=0)) == 2


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    def rows(config, step):
        pairs = INDEX.pairs(8, config, step=step)
        return [(p.real, p.fake, *p.real_positions, *p.fake_positions) for p in pairs]

    other = dataclasses.replace(CONFIG, seed=1)
    assert rows(CONFIG, 41) == rows(CONFIG, 41)
    assert rows(CONFIG, 41) != rows(CONFIG, 42)
    assert rows(CONFIG, 41) != rows(other, 41)


def test_both_clips_of_a_pair_show_the_same_moments():
    seen = np.delete(np.arange(32), [3, 4, 9])
    # The fake is longer, and was sampled further apart: every second frame, from the third on.
    times = np.arange(2, 2 + 2 * 29, 2) / 8
    boxes = np.tile([0, 0, 9, 9], (29, 1))
    fake = {"frame_indices": seen, "timestamps": times, "boxes_xyxy": boxes, "fps": 8.0}
    clips = [_clip("000", fps=8.0), _clip("f", "Deepfakes", original="000", **fake)]
    index = PairIndex.of(clips, stills=False)
    config = dataclasses.replace(CONFIG, self_blended=0.0, drop_frames=0.0, repeat_frames=0.0)
    for step in range(20):
        (pair,) = index.pairs(1, config, step=step)
        real, fake = (
            clips[row].timestamps[at]
            for row, at in ((0, pair.real_positions), (1, pair.fake_positions))
        )
        np.testing.assert_array_equal(real, fake)
        assert pair.is_aligned


@pytest.mark.parametrize(
    "odd",
    [{"timestamps": 50 + np.arange(32) / 8}, {"boxes_xyxy": np.tile([300, 0, 309, 9], (32, 1))}],
)
def test_an_original_at_other_times_or_of_another_face_is_not_aligned(odd):
    index = PairIndex.of(
        [_clip("000"), _clip("f", "Deepfakes", original="000", **odd)], stills=False
    )
    (pair,) = index.pairs(1, dataclasses.replace(CONFIG, self_blended=0.0), step=0)
    assert (pair.real, pair.fake, pair.is_aligned) == (0, 1, False)


def test_a_fake_without_its_original_stands_beside_its_people_and_is_not_aligned():
    clips = [*(_clip(f"{i}") for i in range(9)), _clip("same", group="people")]
    clips.append(_clip("f", "Deepfakes", original="999", group="people"))
    index = PairIndex.of(clips, stills=False)
    (pair,) = index.pairs(1, dataclasses.replace(CONFIG, self_blended=0.0), step=0)
    assert (clips[pair.real].video_id, pair.fake) == ("same", 10)
    assert not pair.is_aligned


def test_fakes_stand_beside_strangers_only_if_all_of_their_method_would_and_have_one_turn():
    clips = [_clip("000"), _clip("f", "Deepfakes", original="000")]
    clips += [_clip("left out", "Deepfakes", original="999")]
    clips += [_clip(f"{i}", method, original="999") for i, method in enumerate("ABCDEF")]
    index = PairIndex.of(clips, stills=False)
    assert {name: len(source) for name, source in index.fakes.items()} == {
        "ffpp/known from few people": 1,
        "ffpp/beside others": 6,
    }
    assert index.fakes["ffpp/beside others"].turns == 1
    (pair,) = PairIndex.of([clips[0], clips[3]], stills=False).pairs(
        1, dataclasses.replace(CONFIG, self_blended=0.0), step=0
    )
    assert (pair.real, pair.fake, pair.is_aligned) == (0, 1, False)


def test_methods_of_which_few_people_are_known_share_their_turns():
    clips = [_clip(f"{i}") for i in range(6)]
    clips += [_clip(f"f{i}", "Deepfakes", original=f"{i}", group=f"{i}") for i in range(4)]
    clips += [_clip(f"{m}", m, original=f"{i}", group=f"{i}") for i, m in ((4, "A"), (5, "B"))]
    index = PairIndex.of(clips, stills=False)
    assert {name: source.turns for name, source in index.fakes.items()} == {
        "ffpp/Deepfakes": 2,
        "ffpp/known from few people": 1,
    }


@pytest.mark.parametrize(
    ("compressions", "expected"),
    [
        (["c40"], [0]),
        (["c40", "c23"], [1]),
        (["c40", "c23-crf31-480p"], [1]),
        (["c40", "c23-crf31-480p", "c23-crf26"], [2]),
    ],
)
def test_a_fake_stands_beside_a_real_that_was_compressed_as_it_was_if_there_is_one(
    compressions, expected
):
    fake = _clip("f", "Deepfakes", original="999", compression="c23-crf26")
    if "c23" in compressions:
        fake = dataclasses.replace(fake, compression="c23")
    clips = [_clip(f"{i}", compression=name) for i, name in enumerate(compressions)]
    index = PairIndex.of([*clips, fake], stills=False)
    (((_, beside),),) = index.fakes["ffpp/beside others"].groups
    assert beside.tolist() == expected


@pytest.mark.parametrize(("shared", "is_aligned"), [(32, True), (16, True), (15, False)])
def test_only_fakes_of_which_most_moments_are_in_the_original_are_shown_beside_the_same(
    shared, is_aligned
):
    times = np.arange(32) / 8
    times[shared:] += 1 / 16  # as in a video of another length
    clips = [_clip("000"), _clip("f", "Deepfakes", original="000", timestamps=times)]
    config = dataclasses.replace(CONFIG, self_blended=0.0, drop_frames=0.0, repeat_frames=0.0)
    index = PairIndex.of(clips, stills=False)
    pairs = [index.pairs(1, config, step=step)[0] for step in range(40)]
    assert {pair.is_aligned for pair in pairs} == {is_aligned}
    shown = {place for pair in pairs for place in pair.fake_positions.tolist()}
    assert (max(shown) >= 16) == (shared != 16)


def test_every_part_of_a_step_has_its_share_of_self_blends():
    config = dataclasses.replace(CONFIG, self_blended=0.5, accumulation=4)
    pairs = INDEX.pairs(8, config, step=0)
    blended = np.array([pair.fake is None for pair in pairs]).reshape(4, 2)
    np.testing.assert_array_equal(blended.sum(axis=1), 1)


def test_a_fake_never_stands_beside_a_real_of_another_data_set():
    clips = [_clip("f", "Deepfakes", original="000"), _clip("000", dataset="dfdc")]
    assert PairIndex.of(clips, stills=False).fakes == {}


def test_stills_and_videos_are_not_mixed():
    still = {"num_frames": 1, "frame_indices": np.zeros(1, np.int64), "timestamps": np.zeros(1)}
    clips = [_clip("000"), _clip("001", **still)]
    assert PairIndex.of(clips, stills=False).reals["ffpp"].groups == ((0,),)
    index = PairIndex.of(clips, stills=True)
    (pair,) = index.pairs(1, dataclasses.replace(CONFIG, self_blended=1.0), step=0)
    assert (pair.real, pair.real_positions.tolist()) == (1, [0])


def test_without_reals_or_fakes_the_error_says_what_is_missing():
    only_real = PairIndex.of([_clip("000")], stills=False)
    with pytest.raises(TrainingError, match="1 real videos and 0 fake ones.*--self-blended"):
        only_real.pairs(8, CONFIG, step=0)
    with pytest.raises(TrainingError, match="single pictures.*--still-pairs to 0"):
        PairIndex.of([_clip("000")], stills=True).pairs(8, CONFIG, step=0)


@pytest.mark.parametrize("available", [1, 2, 5, 32])
def test_frames_are_in_order_inside_the_clip_and_the_first_is_present(available):
    for seed in range(50):
        chosen = choose_frames(available, 4, CONFIG, np.random.default_rng(seed))
        present = chosen[chosen >= 0]
        assert chosen[0] >= 0
        assert present.max() < available
        assert (np.diff(present) >= 0).all()


def test_without_drops_and_repeats_the_stride_is_even_and_bounded():
    config = dataclasses.replace(CONFIG, drop_frames=0.0, repeat_frames=0.0, max_stride=3)
    strides = set()
    for seed in range(100):
        steps = np.diff(choose_frames(32, 4, config, np.random.default_rng(seed)))
        assert len(set(steps)) == 1
        strides.add(int(steps[0]))
    assert strides == {1, 2, 3}


def test_drops_and_repeats_come_about_as_often_as_asked():
    config = dataclasses.replace(CONFIG, drop_frames=0.3, repeat_frames=0.2, max_stride=1)
    draws = [choose_frames(32, 9, config, np.random.default_rng(seed)) for seed in range(400)]
    dropped = np.mean([np.mean(chosen[1:] < 0) for chosen in draws])
    assert dropped == pytest.approx(0.3, abs=0.04)
    kept = [chosen[chosen >= 0] for chosen in draws]
    assert np.mean([np.any(np.diff(chosen) == 0) for chosen in kept]) > 0.4
