import dataclasses
import json
import re

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from dfjax.config import CalibrationConfig, Config, OperatingPoint
from dfjax.errors import DatasetError
from dfjax.evaluation.calibration import (
    calibrate_on,
    correction_share,
    fit_sigmoid,
    frozen_threshold,
    threshold_at,
    with_correction,
)
from dfjax.evaluation.scores import video_scores
from dfjax.evaluation.scoring import ScoredClip
from dfjax.evaluation.thresholds import fake_above, groups_needed, thresholds
from dfjax.json_values import dumps
from tests.evaluation.clips import scored_clip, scored_set


def _sample(num: int, scale: float, bias: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are off by a known scale and bias, with labels that follow the true ones."""
    generator = np.random.default_rng(0)
    true_logits = generator.normal(0, 2, num)
    is_fake = (generator.random(num) < expit(true_logits)).astype(int)
    return (true_logits - bias) / scale, is_fake


def test_a_known_scale_and_bias_are_found_again():
    scale, bias = fit_sigmoid(*_sample(20_000, scale=0.25, bias=0.5))
    assert scale == pytest.approx(0.25, rel=0.1)
    assert bias == pytest.approx(0.5, abs=0.1)


def test_imbalance_does_not_move_the_probabilities():
    logits, is_fake = _sample(20_000, scale=1.0, bias=0.0)
    fake_often = np.concatenate([np.arange(len(logits)), np.repeat(np.flatnonzero(is_fake), 3)])
    scale, bias = fit_sigmoid(logits[fake_often], is_fake[fake_often])
    assert (scale, bias) == pytest.approx(fit_sigmoid(logits, is_fake), abs=0.02)


def test_a_weight_counts_as_that_many_copies():
    logits, is_fake = _sample(2_000, scale=1.0, bias=0.0)
    counts = np.random.default_rng(1).integers(1, 4, len(logits))
    copies = np.repeat(np.arange(len(logits)), counts)
    weighted = fit_sigmoid(logits, is_fake, counts)
    assert weighted == pytest.approx(fit_sigmoid(logits[copies], is_fake[copies]), abs=0.01)


def test_scores_that_say_the_opposite_are_not_turned_round():
    logits, is_fake = _sample(500, scale=1.0, bias=0.0)
    scale, _ = fit_sigmoid(-logits, is_fake)
    assert 0 < scale < 0.1


def test_a_perfectly_separated_set_gives_finite_probabilities_inside_zero_and_one():
    logits, is_fake = np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1])
    scale, bias = fit_sigmoid(logits, is_fake)
    probabilities = expit(scale * logits + bias)
    assert np.all((probabilities > 0.01) & (probabilities < 0.99))
    # Platt's targets, by the counts of each class: (2 + 1) / (2 + 2), and 1 / (8 + 2).
    scale, bias = fit_sigmoid(np.repeat([-3.0, 3.0], [8, 2]), np.repeat([0, 1], [8, 2]))
    assert expit(scale * np.array([3, -3]) + bias) == pytest.approx([0.75, 0.1], abs=1e-3)


def test_scores_that_are_all_the_same_give_even_odds():
    scale, bias = fit_sigmoid(np.full(4, 2.0), np.array([0, 0, 1, 1]))
    assert expit(2 * scale + bias) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("people", [19, 20, 40, 150])
def test_the_rates_hold_on_new_people(rate, people):
    """Counted on those at hand, a threshold is crossed by more of the new ones than it names."""
    rng = np.random.default_rng(0)
    is_fake = np.arange(2 * people) % 2
    crossed, missed = [], []
    for _ in range(300):
        scores = expit(rng.normal(size=2 * people) + is_fake)
        real_below, fake_above = thresholds(scores, is_fake, rate, rate)
        assert real_below is not None and fake_above is not None
        crossed.append(1 - norm.cdf(logit(fake_above)))
        missed.append(norm.cdf(logit(real_below) - 1))
    margin = 3 * np.std(crossed) / np.sqrt(300)
    assert np.mean(crossed) <= rate + margin
    assert np.mean(missed) <= rate + margin
    assert np.mean(crossed) >= rate - 1 / people - margin  # no higher than it must be


def test_a_persons_many_videos_count_as_one_person():
    """Each of 25 people has 8 much alike videos: that is not 200 people."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(25), 8).astype(str)
    crossed = []
    for _ in range(200):
        scores = expit(np.repeat(rng.normal(size=25), 8) + 0.1 * rng.normal(size=200))
        both = np.append(scores, [0.98] * 25), np.append(np.zeros(200), np.ones(25))
        of_both = np.append(groups, np.arange(25).astype(str))
        _, fake_above = thresholds(*both, 0.1, 0.1, groups=of_both)
        assert fake_above is not None
        crossed.append(1 - norm.cdf(logit(fake_above), scale=np.hypot(1, 0.1)))
    assert np.mean(crossed) <= 0.1 + 3 * np.std(crossed) / np.sqrt(200)


@pytest.mark.parametrize("is_fake", [0, 1])
def test_a_person_with_three_videos_weighs_as_much_as_one_with_one(is_fake):
    """Of four people, one fifth is for each, and one fifth for a new one."""
    scores = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.7])  # the most extreme three are of one person
    groups, datasets = np.array([*"aaabcd"]), np.array(["ffpp"] * 6)
    if is_fake:
        threshold, _ = thresholds(scores, np.ones(6), 0.5, 0.4, groups=groups)
        assert np.sum(scores < threshold) == 3
    else:
        threshold = fake_above(1 - scores, np.zeros(6), 0.4, groups=groups, datasets=datasets)
        assert np.sum(1 - scores > threshold) == 3


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 99), (0.05, 19), (0.1, 9), (0.5, 1)])
def test_too_few_people_give_no_threshold(rate, needed):
    assert groups_needed(rate) == needed
    for num, enough in ((needed, True), (needed - 1, False)):
        scores, is_fake = np.linspace(0, 1, 2 * num), np.arange(2 * num) % 2
        if num:
            found = thresholds(scores, is_fake, rate, rate)
            assert [threshold is not None for threshold in found] == [enough, enough]


def test_the_threshold_is_no_higher_than_the_rate_asks():
    scores = np.append(np.arange(99) / 200, [0.1, 0.9])  # 99 real videos
    is_fake = np.append(np.zeros(99), [1, 1])
    fake_above = thresholds(scores, is_fake, 0.05, 0.5)[1]
    assert np.sum(scores[:99] > fake_above) == 4  # (4 + 1) / (99 + 1)
    few, is_fake = np.append(np.arange(9) / 20, [0.1, 0.9]), np.append(np.zeros(9), [1, 1])
    fake_above = thresholds(few, is_fake, 0.3, 0.5)[1]
    assert np.sum(few[:9] > fake_above) == 2  # three times 0.1 is more than 0.3 by rounding


def test_of_equal_scores_none_is_over_the_threshold_if_not_all_may_be():
    scores, is_fake = np.array([0.1, 0.1, 0.6, 0.6, 0.6, 0.9]), np.array([0, 0, 0, 0, 0, 1])
    fake_above = thresholds(scores, is_fake, 0.4, 0.5)[1]
    assert fake_above is not None and fake_above > 0.6


def test_well_separated_classes_leave_no_crossed_thresholds():
    scores = np.concatenate([np.linspace(0, 0.2, 20), np.linspace(0.8, 1, 20)])
    for rate in (0.05, 0.2):  # also where some of either kind might be on the wrong side
        real_below, fake_above = thresholds(scores, np.repeat([0, 1], 20), rate, rate)
        assert real_below == fake_above == pytest.approx(0.5, abs=0.03)


def test_fewer_fakes_than_named_are_called_real_as_a_mean_over_data_sets():
    rng = np.random.default_rng(0)
    hidden, plain = rng.uniform(0, 0.4, 200), rng.uniform(0.5, 1, 20)  # of two data sets
    scores = np.concatenate([rng.uniform(0, 0.6, 100), hidden, plain])
    is_fake = np.append(np.zeros(100), np.ones(220))
    datasets = np.array(["a"] * 100 + ["a"] * 200 + ["b"] * 20)
    real_below, _ = thresholds(scores, is_fake, 0.05, 0.15, datasets=datasets)
    assert real_below is not None
    missed = [np.mean(hidden < real_below), np.mean(plain < real_below)]
    assert np.mean(missed) <= 0.15
    # No data set alone decides; the one of 20 costs 1 / 21 of its own.
    assert 0.22 < missed[0] <= 0.3
    # One more of each data set might score below all others: 1 / 2 of 1 / 5, twice.
    scores, is_fake = np.append(np.linspace(0.1, 0.8, 8), 0.9), np.append(np.ones(8), 0)
    datasets = np.array(["a", "b"] * 4 + ["a"])
    real_below, _ = thresholds(scores, is_fake, 0.5, 0.3, datasets=datasets)
    assert np.sum(scores[:8] < real_below) == 1


def test_a_rate_of_one_is_no_error():
    scores, is_fake = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    real_below, fake_above = thresholds(scores, is_fake, 1.0, 1.0)
    assert real_below is not None and fake_above is not None
    assert 0 <= real_below <= fake_above <= 1


def test_a_data_set_of_three_real_videos_does_not_decide_alone():
    scores = np.concatenate([np.linspace(0, 0.5, 100), [0.1, 0.2, 0.95], [0.9, 0.99]])
    is_fake = np.append(np.zeros(103), np.ones(2))
    datasets = np.array(["large"] * 100 + ["tiny"] * 3 + ["large"] * 2)
    _, fake_above = thresholds(scores, is_fake, 0.05, 0.4, datasets=datasets)
    assert fake_above is not None and 0.4 < fake_above < 0.6
    others = np.array(["large"] * 80 + ["other"] * 20 + ["tiny"] * 3 + ["large"] * 2)
    _, among_others = thresholds(scores, is_fake, 0.05, 0.4, datasets=others)
    assert np.mean(scores[100:103] > among_others) <= 1 / 3


def test_small_data_sets_are_promised_the_rate_together_if_they_have_enough_people():
    """Among all others, five of them would be over the threshold."""
    scores = np.concatenate([np.linspace(0, 0.5, 100), np.linspace(0.6, 0.8, 20), [0.9, 0.99]])
    is_fake = np.append(np.zeros(120), np.ones(2))
    datasets = np.array(["large"] * 100 + ["small", "tiny"] * 10 + ["large"] * 2)
    _, found = thresholds(scores, is_fake, 0.05, 0.5, datasets=datasets)
    assert found is not None and found > 0.8
    groups = np.arange(122)
    assert fake_above(scores, is_fake, 0.05, groups=groups, datasets=datasets) == found


def test_no_videos_verdict_hangs_on_the_last_bit_of_its_score():
    logits, is_fake = _sample(60, scale=1.0, bias=0.0)
    for threshold in thresholds(expit(logits), is_fake, 0.05, 0.05):
        assert threshold is not None
        assert np.min(np.abs(expit(logits) - threshold)) > 1e-5


def test_thresholds_have_no_more_digits_than_they_need():
    scores = np.array([0.1, 0.23456, 0.45678, 0.3, 0.7, 0.9])
    real_below, fake_above = thresholds(scores, np.array([0, 0, 0, 1, 1, 1]), 0.25, 0.25)
    assert (real_below, fake_above) == (0.27, 0.58)
    scores, is_fake = np.array([0.1, 0.2, 0.5, 0.5004, 0.9]), np.array([0, 0, 0, 1, 1])
    assert thresholds(scores, is_fake, 0.25, 0.25) == (None, 0.5002)


def _real_probabilities(clips, calibration: CalibrationConfig) -> np.ndarray:
    return np.array(
        [
            expit(calibration.scale * clip.clip_logit + calibration.bias)
            for clip in clips
            if not clip.row.is_fake
        ]
    )


def test_each_operating_point_keeps_its_rate_and_the_verdicts_rate_is_one_of_them():
    clips = scored_set(200)
    calibration = calibrate_on(clips, max_false_positive_rate=0.1, max_false_negative_rate=0.1)
    points = calibration.operating_points
    assert [point.false_positive_rate for point in points] == [0.01, 0.05, 0.1]
    real = _real_probabilities(clips, calibration)
    assert [np.sum(real > point.fake_above) for point in points] == [1, 9, 19]
    assert calibration.false_positive_rate == 0.1
    assert calibration.fake_above == points[-1].fake_above
    assert calibration.caveat is None
    # Whatever the verdict's rate is.
    strict = calibrate_on(clips, max_false_positive_rate=0.01, max_false_negative_rate=0.1)
    assert strict.operating_points == points[:2]
    assert (strict.false_positive_rate, strict.false_negative_rate) == (0.01, 0.1)


def test_a_rate_has_one_threshold_also_where_those_of_real_and_fake_crossed():
    clips = scored_set(200, apart=8.0)
    found = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    assert found.real_below == found.fake_above  # both were moved to the middle
    at_rates = {point.false_positive_rate: point.fake_above for point in found.operating_points}
    assert found.fake_above == at_rates[0.05] <= at_rates[0.01]


def test_data_sets_weigh_alike_however_many_videos_they_have():
    """Copies of one data set move neither the probabilities nor the thresholds."""
    large = scored_set(30)
    small = scored_set(30, apart=1.0, dataset="celebdf", seed=1)
    copies = []
    for clip in large * 4:
        row = dataclasses.replace(clip.row, video_id=f"{len(copies)}")
        copies.append(dataclasses.replace(clip, row=row))
    once = calibrate_on(large + small, max_false_positive_rate=0.1, max_false_negative_rate=0.1)
    often = calibrate_on(copies + small, max_false_positive_rate=0.1, max_false_negative_rate=0.1)
    # Platt's targets depend on the counts a little.
    assert (often.scale, often.bias) == pytest.approx((once.scale, once.bias), rel=0.1)
    of_frames = often.frame_scale, often.frame_bias
    assert of_frames == pytest.approx((once.frame_scale, once.frame_bias), rel=0.1)
    videos = video_scores(copies + small, often)
    of_groups, _ = thresholds(
        videos.probabilities,
        videos.is_fake,
        *(0.1, 0.1),
        groups=videos.groups,
        datasets=videos.datasets,
    )
    assert often.real_below == of_groups
    real = _real_probabilities(large, often), _real_probabilities(small, often)
    assert all(np.mean(probabilities > often.fake_above) <= 0.1 for probabilities in real)


def test_the_rates_hold_in_a_data_set_of_real_videos_alone_too():
    """Real videos of another source score higher than those of the training's source."""
    others = [scored_clip(f"r{i}", logit=3.0 + i, dataset="clips") for i in range(19)]
    alone = calibrate_on(scored_set(30), max_false_positive_rate=0.1, max_false_negative_rate=0.1)
    together = calibrate_on(
        [*scored_set(30), *others], max_false_positive_rate=0.1, max_false_negative_rate=0.1
    )
    assert np.mean(_real_probabilities(others, alone) > alone.fake_above) > 0.5
    assert np.sum(_real_probabilities(others, together) > together.fake_above) == 1


def test_only_the_main_face_tells_how_frames_are_calibrated():
    """Whoever else is in a fake is real: their frames carry the wrong label."""
    clips = scored_set(30)
    bystanders = []
    for clip in clips:
        row = dataclasses.replace(clip.row, track_id=1, boxes_xyxy=clip.row.boxes_xyxy // 2)
        bystanders.append(
            dataclasses.replace(clip, row=row, frame_logits=np.full(4, -20.0), clip_logit=-20.0)
        )
    alone = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    assert (
        calibrate_on(clips + bystanders, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
        == alone
    )


def test_a_face_without_a_say_has_none_in_the_calibration_either():
    """It is the largest, but in one frame of four only."""
    clips = scored_set(30)
    fleeting = []
    for clip in clips:
        row = dataclasses.replace(
            clip.row,
            track_id=1,
            frame_indices=np.arange(1),
            timestamps=np.zeros(1),
            boxes_xyxy=np.array([[0, 0, 480, 480]]),
        )
        fleeting.append(
            dataclasses.replace(clip, row=row, frame_logits=np.full(1, 9.0), clip_logit=9.0)
        )
    with_them, without = (
        calibrate_on(scored, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
        for scored in (clips + fleeting, clips)
    )
    assert with_them == without


def test_a_model_calibrated_on_too_few_people_gives_no_verdict():
    calibration = calibrate_on(
        scored_set(12, apart=9.0), max_false_positive_rate=0.05, max_false_negative_rate=0.05
    )
    assert (calibration.real_below, calibration.fake_above) == (0.0, 1.0)
    assert calibration.operating_points == ()
    assert calibration.caveat is not None and "on too few people" in calibration.caveat
    assert "takes 19 groups" in calibration.caveat
    assert frozen_threshold(calibration) == 0.5
    # There may be enough for one of the two rates.
    more = [scored_clip(str(n), dataset="clips", group=f"clips/{n}") for n in range(3)]
    calibration = calibrate_on(
        scored_set(12, apart=9.0) + more, max_false_positive_rate=0.05, max_false_negative_rate=0.2
    )
    assert (calibration.real_below, calibration.fake_above) == (0.0, 1.0)
    assert calibration.caveat is not None
    assert "15 groups of them in real videos and 12 in fakes" in calibration.caveat
    assert "takes 19 groups, and at most 20% false negatives about 4" in calibration.caveat


def test_a_model_that_may_be_no_better_than_chance_gives_no_verdict():
    clips = scored_set(20, apart=0.0)
    calibration = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    assert (calibration.real_below, calibration.fake_above) == (0.0, 1.0)
    assert calibration.caveat is not None
    assert "not been shown to do better than chance (AUC 0." in calibration.caveat
    assert "over 60 validation videos" in calibration.caveat
    # The AUC is not over videos of a data set without fakes.
    more = [scored_clip(str(n), dataset="clips", group=f"clips/{n}") for n in range(20)]
    other = calibrate_on(clips + more, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    assert other.caveat is not None and "over 60 validation videos" in other.caveat
    # What it would have had is still told, and is what figures are measured at.
    assert 0 < frozen_threshold(calibration) < 1


def test_an_auc_over_a_half_is_not_enough_if_it_may_be_chance():
    clips = scored_set(20, apart=0.3)
    caveat = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05).caveat
    assert caveat is not None
    found = re.search(r"\(AUC (\S+) with a 95% interval from (\S+) to", caveat)
    assert found and float(found[2]) < 0.5 < float(found[1])


def test_one_group_of_identities_shows_nothing():
    clips = [
        scored_clip(str(i), is_fake=i % 2, logit=5 * (i % 2), group="ffpp/a") for i in range(20)
    ]
    caveat = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05).caveat
    assert caveat is not None and "one group of identities" in caveat


def test_a_small_data_set_takes_no_verdicts_away():
    small = scored_set(2, apart=3.0, dataset="mine")
    calibration = calibrate_on(
        [*scored_set(200, apart=3.0), *small],
        max_false_positive_rate=0.05,
        max_false_negative_rate=0.2,
    )
    assert calibration.caveat is None
    assert calibration.fake_above < 1


def test_fewer_false_positives_are_not_had_by_a_lower_threshold():
    """At a lower rate, a small data set of suspicious people is taken together with all others."""
    rng = np.random.default_rng(0)
    clips = [
        scored_clip(
            f"{dataset}-{group}-{is_fake}",
            logit=float(rng.normal(level, 1)),
            dataset=dataset,
            group=f"{dataset}/{group}",
            is_fake=is_fake,
        )
        for dataset, groups, levels in (("ffpp", 1200, (-2, 2)), ("mine", 30, (1, 3)))
        for group in range(groups)
        for is_fake, level in enumerate(levels)
    ]
    found = [
        calibrate_on(clips, max_false_positive_rate=rate, max_false_negative_rate=0.2)
        for rate in (0.05, 0.02, 0.01)
    ]
    thresholds = [calibration.fake_above for calibration in found]
    assert thresholds == sorted(thresholds)
    for calibration in found:
        points = {p.false_positive_rate: p.fake_above for p in calibration.operating_points}
        assert calibration.false_positive_rate is not None
        assert points[calibration.false_positive_rate] == calibration.fake_above


def test_two_data_sets_of_one_class_each_show_nothing():
    """Telling the data sets apart is not telling fakes."""
    real = [c for c in scored_set(20) if not c.row.is_fake]
    fake = [c for c in scored_set(20, dataset="celebdf") if c.row.is_fake]
    caveat = calibrate_on(
        real + fake, max_false_positive_rate=0.05, max_false_negative_rate=0.05
    ).caveat
    assert caveat is not None and "no data set has both real and fake" in caveat


def test_one_class_alone_cannot_be_calibrated_on():
    with pytest.raises(DatasetError, match="3 real and 0 fake.*Add data sets that have them"):
        calibrate_on(
            [scored_clip(str(i)) for i in range(3)],
            max_false_positive_rate=0.05,
            max_false_negative_rate=0.05,
        )


def test_the_calibration_goes_through_config_json_and_older_files_still_load():
    calibration = calibrate_on(
        scored_set(30), max_false_positive_rate=0.05, max_false_negative_rate=0.05
    )
    values = json.loads(dumps(Config(calibration=calibration).to_dict()))
    assert Config.from_dict(values).calibration == calibration
    del values["calibration"]["operating_points"]
    older = Config.from_dict(values).calibration
    assert frozen_threshold(older) == threshold_at(older, 0.05) == calibration.fake_above


def test_the_threshold_for_a_rate_is_that_of_its_operating_point():
    calibration = CalibrationConfig(
        operating_points=(OperatingPoint(false_positive_rate=0.05, fake_above=0.8),)
    )
    assert threshold_at(calibration, 0.05) == 0.8
    assert threshold_at(calibration, 0.01) == 0.5
    # Without verdicts, figures are measured where most are called fake.
    points = OperatingPoint(false_positive_rate=0.01, fake_above=0.9), *calibration.operating_points
    without = CalibrationConfig(real_below=0.0, fake_above=1.0, operating_points=points)
    assert frozen_threshold(without) == 0.8


def _with_noise(
    correction: float, noise: float, num: int = 400, dataset: str = "ffpp"
) -> list[ScoredClip]:
    """Clips whose frames tell the label a little; an LSTM adds what it knows, or noise."""
    generator = np.random.default_rng(3)
    clips = []
    for number in range(num):
        is_fake = number % 2
        mean = is_fake - 0.5 + generator.normal()
        added = correction * (is_fake - 0.5) + noise * generator.normal()
        clips.append(
            scored_clip(
                f"{number:03}",
                logit=mean + added,
                frame_logits=np.full(4, mean),
                is_fake=is_fake,
                dataset=dataset,
            )
        )
    return clips


def test_a_correction_counts_as_far_as_it_helps():
    assert correction_share(_with_noise(correction=2.0, noise=0.1)) == 1
    assert correction_share(_with_noise(correction=0.0, noise=3.0)) < 0.15
    assert correction_share(_with_noise(correction=0.0, noise=0.0)) == 0
    between = correction_share(_with_noise(correction=1.0, noise=1.5))
    assert 0.1 < between < 0.6


def test_a_correction_that_is_not_shown_to_help_is_left_out():
    assert correction_share(_with_noise(correction=0.2, noise=0.5, num=20)) == 0


def test_what_helps_with_one_person_is_not_shown_to_help_however_many_the_videos():
    """If as many people were helped as there are videos, it would be."""
    clips = _with_noise(correction=2.0, noise=0.1, num=120)
    clips[40:] = _with_noise(correction=0.0, noise=0.3, num=120)[40:]
    of_three = [
        dataclasses.replace(clip, row=dataclasses.replace(clip.row, group=f"ffpp/{number // 40}"))
        for number, clip in enumerate(clips)
    ]
    assert correction_share(of_three) == 0
    assert correction_share(clips) > 0.2


def test_a_correction_that_helps_in_the_larger_data_set_alone_counts_little():
    helped = _with_noise(correction=2.0, noise=0.1, num=200)
    hindered = _with_noise(correction=0.0, noise=4.0, num=20, dataset="celebdf")
    assert correction_share(helped + hindered) < 0.1


def test_without_the_correction_a_clip_has_the_mean_of_its_frames():
    clip = scored_clip(logit=3.0, frame_logits=[0.0, 1.0, 2.0])
    logits = [with_correction([clip], share)[0].clip_logit for share in (0.0, 0.25, 1.0)]
    assert logits == [1.0, 1.5, 3.0]
