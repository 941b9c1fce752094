import math

import numpy as np
import pytest
from scipy.stats import norm

from dfjax.config import CalibrationConfig
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.estimates import Estimate
from dfjax.evaluation.scores import Scores, video_scores
from tests.evaluation.clips import scored_clip, scored_set


def _scores(clips) -> Scores:
    return video_scores(clips, CalibrationConfig())


def _auc(scores: Scores) -> Estimate:
    return estimates.estimate_ranking(scores, Draws.of(scores.groups, num_draws=300))["auc"]


def _width(estimate: Estimate) -> float:
    assert estimate.interval is not None
    return estimate.interval[1] - estimate.interval[0]


def test_the_interval_holds_the_value_and_repeats():
    auc = _auc(_scores(scored_set(30)))
    assert auc.interval == _auc(_scores(scored_set(30))).interval
    assert auc.interval is not None
    assert auc.interval[0] < auc.value < auc.interval[1]


def test_more_people_narrow_the_interval_and_copies_of_them_do_not():
    few = _scores(scored_set(20))
    copied = few.take(np.repeat(np.arange(len(few)), 10))
    many = _scores(scored_set(200))
    assert _width(_auc(copied)) == pytest.approx(_width(_auc(few)), rel=0.01)
    assert _width(_auc(many)) < 0.5 * _width(_auc(few))


# Per number of groups, a difficulty, and the videos of each class in a group.
@pytest.mark.parametrize(
    ("groups", "apart", "alike", "per_group"),
    [(4, 1.2, 0.5, 2), (6, 2.5, 0.0, 1), (10, 1.2, 0.9, 3), (40, 2.5, 0.5, 2)],
)
def test_intervals_of_auc_cover_the_truth_as_often_as_they_say(groups, apart, alike, per_group):
    """Percentiles of the bootstrap cover the first two 75% and 49% of the time."""
    truth = norm.cdf(apart / np.sqrt(2))
    rng = np.random.default_rng(0)
    group_of = np.repeat(np.arange(groups), 2 * per_group)
    is_fake = np.tile(np.repeat([0, 1], per_group), groups)
    inside = 0
    for _ in range(150):
        of_group = np.sqrt(alike) * rng.normal(size=(2, groups))[is_fake, group_of]
        noise = np.sqrt(1 - alike) * rng.normal(size=len(is_fake))
        interval = _auc(_made_up(is_fake, apart * is_fake + of_group + noise, group_of)).interval
        assert interval is not None
        inside += interval[0] <= truth <= interval[1]
    assert inside / 150 >= 0.92


@pytest.mark.parametrize(("groups", "rate"), [(4, 0.05), (6, 0.5), (12, 0.2), (40, 0.05)])
def test_intervals_of_rates_cover_the_truth_as_often_as_they_say(groups, rate):
    """Also where no video at all is called fake: 0 of 6 people does not mean never."""
    rng = np.random.default_rng(0)
    group_of = np.repeat(np.arange(groups), 4)
    inside = 0
    for _ in range(150):
        of_group = np.sqrt(0.5) * rng.normal(size=groups)[group_of]
        called = of_group + np.sqrt(0.5) * rng.normal(size=len(group_of)) > norm.isf(rate)
        scores = _made_up(np.zeros(len(group_of), int), np.where(called, 2.0, -2.0), group_of)
        decided = estimates.estimate_decisions(scores, 0.5, Draws.of(scores.groups, num_draws=200))
        interval = decided["false_positive_rate"].interval
        assert interval is not None
        inside += interval[0] <= rate <= interval[1]
    assert inside / 150 >= 0.92


@pytest.mark.parametrize("groups", [4, 6, 10])
@pytest.mark.parametrize("per_group", [3, 7])
def test_a_share_that_is_the_same_for_all_people_is_as_uncertain_as_they_are_few(groups, per_group):
    """Its draws differ by rounding alone."""
    called = np.tile(np.arange(per_group) == 0, groups)
    group_of = np.repeat(np.arange(groups), per_group)
    scores = _made_up(np.zeros(len(called), int), np.where(called, 2.0, -2.0), group_of)
    decided = estimates.estimate_decisions(scores, 0.5, Draws.of(scores.groups))
    rate = decided["false_positive_rate"]
    assert rate.interval is not None
    assert rate.interval[0] < rate.value < rate.interval[1]
    assert _width(rate) > 0.1


@pytest.mark.parametrize(
    ("groups", "apart", "other_apart", "alike"),
    [(6, 3.0, 2.5, 0.8), (12, 3.0, 2.5, 0.8), (40, 3.0, 2.5, 0.8), (12, 2.0, 1.5, 0.97)],
)
def test_intervals_of_differences_cover_the_truth_as_often_as_they_say(
    groups, apart, other_apart, alike
):
    """Where both are perfect on the few people there are, they need not be equal."""
    truth = norm.cdf(apart / np.sqrt(2)) - norm.cdf(other_apart / np.sqrt(2))
    rng = np.random.default_rng(0)
    is_fake, group_of = np.arange(2 * groups) % 2, np.arange(2 * groups) // 2
    inside = 0
    for _ in range(100):
        noise, own = rng.normal(size=(2, 2 * groups))
        mixed = alike * noise + np.sqrt(1 - alike**2) * own
        first, second = (
            _auc(_made_up(is_fake, logits, group_of))
            for logits in (apart * is_fake + noise, other_apart * is_fake + mixed)
        )
        interval = (first - second).interval
        assert interval is not None
        inside += interval[0] <= truth <= interval[1]
    assert inside >= 92


def test_a_figure_does_not_differ_from_itself():
    auc = _auc(_scores(scored_set(30)))
    difference = (auc - auc).to_json()
    assert (difference["value"], difference["interval"]) == (0, [0, 0])


def test_a_mean_over_data_sets_covers_the_truth_though_one_of_them_is_small():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(150):
        parts = []
        for groups in (4, 50):
            is_fake = np.arange(2 * groups) % 2
            scores = 1.2 * is_fake + rng.normal(size=2 * groups)
            parts.append(_auc(_made_up(is_fake, scores, np.arange(2 * groups) // 2)))
        interval = estimates.mean(parts).interval
        assert interval is not None
        inside += interval[0] <= norm.cdf(1.2 / np.sqrt(2)) <= interval[1]
    assert inside / 150 >= 0.92


def _made_up(is_fake: np.ndarray, logits: np.ndarray, groups: np.ndarray) -> Scores:
    names = np.array([str(i) for i in range(len(logits))])
    one = np.full(len(logits), "x")
    return Scores(
        videos=names,
        datasets=one,
        methods=one,
        compressions=one,
        groups=groups.astype(str),
        is_fake=is_fake,
        logits=logits,
    )


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        ([], "there is no real and no fake video"),
        ([scored_clip(is_fake=1)], "there is no real video"),
        ([scored_clip(is_fake=0)], "there is no fake video"),
    ],
)
def test_a_figure_that_cannot_be_had_is_null_with_the_reason(clips, reason):
    assert _auc(_scores(clips)).to_json() == {"value": None, "interval": None, "reason": reason}


def test_one_group_of_identities_gives_a_value_without_an_interval():
    clips = [scored_clip(str(i), is_fake=i % 2, logit=i, group="ffpp/a") for i in range(6)]
    assert _auc(_scores(clips)).to_json() == {
        "value": pytest.approx(0.666667),
        "interval": None,
        "reason": "all real videos are of one group of identities; an interval takes 4",
    }


def test_false_positives_need_real_videos_only():
    clips = [scored_clip(str(i), logit=i - 2.5) for i in range(6)]
    scores = _scores(clips)
    decided = estimates.estimate_decisions(scores, 0.5, Draws.of(scores.groups))
    assert decided["false_positive_rate"].value == 0.5
    assert decided["false_positive_rate"].interval is not None
    assert decided["balanced_accuracy"].reason == "there is no fake video"


def test_a_difference_is_taken_draw_by_draw():
    """Two scores that fail together differ by less than their intervals suggest."""
    scores = _scores(scored_set(30))
    other = _scores(scored_set(30, apart=1.9))  # the same noise
    draws = Draws.of(scores.groups)
    first, second = (estimates.estimate_ranking(s, draws)["auc"] for s in (scores, other))
    assert (first - second).value == pytest.approx(first.value - second.value)
    assert _width(first - second) < 0.3 * _width(first)


def test_a_mean_leaves_out_what_could_not_be_measured():
    figures = [
        Estimate.of_share(0.6, np.array([0.5, 0.7]), 9),
        Estimate.absent("there is no real video"),
        Estimate.of_share(0.8, np.array([0.7, 0.9]), 9),
    ]
    mean = estimates.mean(figures)
    assert mean.value == pytest.approx(0.7)
    assert mean.draws == pytest.approx(np.array([0.6, 0.8]))
    assert math.isnan(estimates.mean(figures[1:2]).value)


def test_a_mean_has_no_interval_where_one_of_its_figures_has_none():
    one_group = Estimate(0.8, reason="all real videos are of one group of identities")
    mean = estimates.mean([Estimate.of_share(0.6, np.array([0.5, 0.7]), 9), one_group])
    assert (mean.value, mean.interval, mean.reason) == (0.7, None, one_group.reason)


def test_data_sets_weigh_alike_in_the_auc_over_data_sets():
    easy, hard = scored_set(5, apart=50), scored_set(50, apart=0, dataset="celebdf")
    hard_auc = _auc(_scores(hard)).value
    scores = _scores(easy + hard)
    auc = estimates.auc_over_datasets(scores, Draws.of(scores.groups))
    assert auc.value == pytest.approx((1 + hard_auc) / 2)
