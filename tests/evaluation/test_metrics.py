import math
import tracemalloc

import numpy as np
import pytest
from scipy.special import expit

from dfjax.evaluation.metrics import (
    DECISIONS,
    RANKING,
    confusion,
    decision_measures,
    equal_error_rate,
    ranking_measures,
    reliability,
    tpr_at,
)


def _sample(num: int, *, share: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    is_fake = (generator.random(num) < share).astype(int)
    return is_fake, is_fake + generator.normal(size=num)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    is_fake, scores = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.6, 0.5, 0.7, 0.6])
    pairs = [(s > r) + 0.5 * (s == r) for s in scores[2:] for r in scores[:2]]
    assert ranking_measures(is_fake, scores)["auc"] == pytest.approx(np.mean(pairs))


def test_at_the_equal_error_rate_both_errors_are_as_frequent():
    is_fake, scores = _sample(20_001)
    rate = ranking_measures(is_fake, scores)["equal_error_rate"]
    threshold = np.quantile(scores[is_fake == 0], 1 - rate)
    assert np.mean(scores[is_fake == 1] < threshold) == pytest.approx(rate, abs=0.01)


def test_the_equal_error_rate_lies_between_two_points_of_the_curve():
    fpr, tpr = np.array([0.0, 0.0, 0.5, 1.0]), np.array([0.0, 0.4, 1.0, 1.0])
    rate = float(equal_error_rate(fpr, tpr))
    assert np.interp(rate, fpr[1:3], tpr[1:3]) == pytest.approx(1 - rate)


def test_no_more_false_positives_than_named_are_spent_on_finding_fakes():
    fpr, tpr = np.array([0.0, 0.0, 0.04, 0.06, 1.0]), np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    assert (tpr_at(fpr, tpr, 0.05), tpr_at(fpr, tpr, 0.01)) == (0.5, 0.2)


def test_confusion_counts_a_score_at_the_threshold_as_real():
    counts = confusion(np.array([0, 0, 1, 1]), np.array([0.5, 0.6, 0.5, 0.7]), 0.5)
    assert (counts.true_real, counts.false_fake) == (1, 1)
    assert (counts.false_real, counts.true_fake) == (1, 1)


def test_always_answering_fake_has_balanced_accuracy_one_half():
    is_fake = np.array([1] * 323 + [0] * 77)
    assert confusion(is_fake, np.ones(400), 0.5).balanced_accuracy == 0.5


def test_probabilities_that_come_true_have_no_calibration_error():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, 50_000)
    is_fake = (generator.random(len(logits)) < expit(logits)).astype(int)
    right = decision_measures(is_fake, expit(logits), 0.5)
    wrong = decision_measures(is_fake, expit(2 * logits), 0.5)
    assert right["calibration_error"] < 0.01 < wrong["calibration_error"]
    assert right["brier"] < wrong["brier"]


@pytest.mark.parametrize(("real", "fake"), [(11, 23), (60, 60), (400, 400)])
def test_chance_is_not_counted_as_a_calibration_error(real, fake):
    """Of probabilities that come true, ten bins of few videos read .17, .10 and .04."""
    rng = np.random.default_rng(0)
    errors, noises = [], []
    for _ in range(40):
        logits = rng.normal(0, 2, 20 * (real + fake))
        labels = rng.random(len(logits)) < expit(logits)
        rows = np.append(np.flatnonzero(~labels)[:real], np.flatnonzero(labels)[:fake])
        measured = decision_measures(labels[rows].astype(int), expit(logits[rows]), 0.5)
        errors.append(measured["debiased_calibration_error"])
        noises.append(measured["calibration_noise"])
    assert min(errors) >= 0  # often it is less than what chance makes
    assert np.mean(errors) < 0.35 * np.mean(noises)
    assert 0.02 < np.mean(noises) < 0.2


@pytest.mark.parametrize(("real", "fake"), [(380, 20), (20, 380)])
def test_chance_is_as_large_as_it_is_where_one_class_is_rare(real, fake):
    """As if half were fakes, it would be half as large again, and hide true errors."""
    rng = np.random.default_rng(0)
    is_fake = np.repeat([0, 1], [real, fake])
    found = []
    for _ in range(20):
        probabilities = expit(2 * rng.normal(2 * is_fake - 1))  # true at even odds
        found.append(decision_measures(is_fake, probabilities, 0.5))
    errors, noises = (
        np.mean([measured[name] for measured in found])
        for name in ("calibration_error", "calibration_noise")
    )
    assert noises == pytest.approx(errors, rel=0.2)


def test_frames_of_a_video_share_their_label_by_chance_too():
    """Drawn for each frame anew, chance would explain hardly any of this error of a true model."""
    rng = np.random.default_rng(0)
    errors, noises = [], []
    for _ in range(10):
        of_video = rng.normal(0, 2, 200)
        labels = (rng.random(200) < expit(of_video)).astype(int)
        videos = np.repeat(np.arange(200).astype(str), 32)
        measured = decision_measures(
            np.repeat(labels, 32), np.repeat(expit(of_video), 32), 0.5, videos
        )
        errors.append(measured["calibration_error"])
        noises.append(measured["calibration_noise"])
    assert np.mean(noises) == pytest.approx(np.mean(errors), rel=0.25)


def test_the_share_of_chance_takes_little_memory_over_many_frames():
    is_fake, scores = _sample(20_000)
    videos = np.repeat(np.arange(500), 40)
    tracemalloc.start()
    decision_measures(is_fake, expit(scores), 0.5, videos)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6  # 200 draws of all frames take 32e6


def test_a_true_calibration_error_is_not_taken_for_chance():
    logits = np.random.default_rng(0).normal(0, 2, 4_000)
    is_fake = (np.random.default_rng(1).random(len(logits)) < expit(logits)).astype(int)
    measured = decision_measures(is_fake, expit(2 * logits), 0.5)
    exact = np.mean(np.abs(expit(2 * logits) - expit(logits)))
    assert measured["debiased_calibration_error"] == pytest.approx(exact, abs=0.02)


def test_a_calibration_error_does_not_depend_on_the_share_of_fakes():
    is_fake, scores = _sample(40_000)
    kept = np.flatnonzero((is_fake == 1) | (np.arange(len(is_fake)) % 5 == 0))
    everything = decision_measures(is_fake, expit(scores), 0.5)
    fewer_real = decision_measures(is_fake[kept], expit(scores[kept]), 0.5)
    for name in ("brier", "calibration_error"):
        assert fewer_real[name] == pytest.approx(everything[name], abs=0.01)


def test_the_bins_hold_all_videos_and_all_weight():
    is_fake, scores = _sample(500, share=0.8)
    bins = reliability(is_fake, np.append(expit(scores)[:-1], 1.0))
    assert sum(bin.count for bin in bins) == 500
    assert sum(bin.share for bin in bins) == pytest.approx(1)


def test_what_needs_two_classes_is_not_a_number_with_one():
    scores = np.array([0.2, 0.7])
    assert all(math.isnan(value) for value in ranking_measures(np.ones(2), scores).values())
    measured = decision_measures(np.zeros(2), scores, 0.5)
    assert measured["false_positive_rate"] == 0.5
    assert math.isnan(measured["true_positive_rate"]) and math.isnan(measured["brier"])


def test_the_names_are_those_of_what_is_measured():
    is_fake, scores = _sample(20)
    assert tuple(ranking_measures(is_fake, scores)) == RANKING
    assert tuple(decision_measures(is_fake, expit(scores), 0.5)) == DECISIONS
