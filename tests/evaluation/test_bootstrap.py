import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from dfjax.evaluation import bootstrap, metrics
from dfjax.evaluation.bootstrap import Draws


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores, some of them equal."""
    generator = np.random.default_rng(0)
    is_fake = (generator.random(60) < 0.6).astype(int)
    return is_fake, (is_fake + generator.normal(size=60)).round(1)


def test_drawn_once_each_the_figures_are_those_of_the_whole(sample):
    is_fake, scores = sample
    once = np.ones((1, len(scores)))
    drawn = bootstrap.weighted_ranking(is_fake, scores, once)
    assert {name: value[0] for name, value in drawn.items()} == pytest.approx(
        metrics.ranking_measures(is_fake, scores)
    )
    probabilities = expit(scores)
    decided = bootstrap.weighted_decisions(is_fake, probabilities, 0.5, once)
    whole = metrics.decision_measures(is_fake, probabilities, 0.5)
    for name in ("calibration_error", "calibration_noise", "debiased_calibration_error"):
        del whole[name]
    assert {name: value[0] for name, value in decided.items()} == pytest.approx(whole)


def test_a_weight_counts_as_that_many_copies(sample):
    is_fake, scores = sample
    counts = np.random.default_rng(1).integers(0, 4, len(scores))
    copies = np.repeat(np.arange(len(scores)), counts)
    weights = counts[None].astype(np.float64)
    drawn = bootstrap.weighted_ranking(is_fake, scores, weights)
    copied = metrics.ranking_measures(is_fake[copies], scores[copies])
    assert {name: value[0] for name, value in drawn.items()} == pytest.approx(copied)
    decided = bootstrap.weighted_decisions(is_fake, expit(scores), 0.6, weights)
    copied = metrics.decision_measures(is_fake[copies], expit(scores[copies]), 0.6)
    for name, value in decided.items():
        assert value[0] == pytest.approx(copied[name])


def test_weighted_areas_are_those_of_scikit_learn(sample):
    is_fake, scores = sample
    weights = np.random.default_rng(1).uniform(0, 3, (1, len(scores)))
    drawn = bootstrap.weighted_ranking(is_fake, scores, weights)
    assert drawn["auc"][0] == pytest.approx(
        roc_auc_score(is_fake, scores, sample_weight=weights[0])
    )
    assert drawn["average_precision"][0] == pytest.approx(
        average_precision_score(is_fake, scores, sample_weight=weights[0])
    )


def test_a_draw_without_a_class_says_nothing(sample):
    is_fake, scores = sample
    only_fake = is_fake[None].astype(np.float64)
    assert all(
        np.isnan(v).all() for v in bootstrap.weighted_ranking(is_fake, scores, only_fake).values()
    )
    decided = bootstrap.weighted_decisions(is_fake, expit(scores), 0.5, only_fake)
    assert np.isnan(decided["false_positive_rate"][0])
    assert not np.isnan(decided["true_positive_rate"][0])


def test_a_draw_has_as_many_groups_as_there_are_and_keeps_each_together():
    groups = ["a", "b", "b", "c", "c", "c"]
    draws = Draws.of(groups, num_draws=50)
    weights = draws.measure(lambda weights: {"weights": weights})["weights"]
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    assert len(np.unique(weights, axis=0)) > 5


def test_the_same_groups_give_the_same_draws_in_whatever_order_and_number():
    videos, frames = Draws.of(["a", "b", "c"]), Draws.of(["c", "c", "a", "b"])
    np.testing.assert_array_equal(videos.counts, frames.counts)
    np.testing.assert_array_equal(
        videos.counts[:, videos.group_of][:, [2, 2, 0, 1]], frames.counts[:, frames.group_of]
    )


def test_the_memory_that_is_used_does_not_change_the_draws(sample, monkeypatch):
    is_fake, scores = sample
    draws = Draws.of([str(i // 3) for i in range(60)])

    def measured() -> np.ndarray:
        return draws.measure(lambda w: bootstrap.weighted_ranking(is_fake, scores, w))["auc"]

    at_once = measured()
    monkeypatch.setattr(bootstrap, "_BLOCK", 60 * 7)
    np.testing.assert_allclose(measured(), at_once, atol=1e-12)
