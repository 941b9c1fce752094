import numpy as np
import pytest
from scipy.special import expit

from dfjax.evaluation.calibration import calibrate, fit_sigmoid, thresholds


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


def test_scores_that_say_the_opposite_are_not_turned_round():
    logits, is_fake = _sample(500, scale=1.0, bias=0.0)
    scale, _ = fit_sigmoid(-logits, is_fake)
    assert 0 < scale < 0.1


def test_a_perfectly_separated_set_gives_finite_probabilities_inside_zero_and_one():
    logits, is_fake = np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1])
    scale, bias = fit_sigmoid(logits, is_fake)
    probabilities = expit(scale * logits + bias)
    assert np.all((probabilities > 0.01) & (probabilities < 0.99))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_no_more_real_videos_than_named_are_called_fake(rate):
    logits, is_fake = _sample(997, scale=1.0, bias=0.0)
    real_below, fake_above = thresholds(expit(logits), is_fake, rate)
    assert np.mean(expit(logits)[is_fake == 0] > fake_above) <= rate
    assert np.mean(expit(logits)[is_fake == 1] < real_below) <= rate
    assert real_below <= fake_above


def test_well_separated_classes_leave_no_crossed_thresholds():
    real_below, fake_above = thresholds(
        np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), 0.05
    )
    assert real_below == fake_above == pytest.approx(0.5)


def test_no_videos_verdict_hangs_on_the_last_bit_of_its_score():
    logits, is_fake = _sample(60, scale=1.0, bias=0.0)
    for threshold in thresholds(expit(logits), is_fake, 0.05):
        assert np.min(np.abs(expit(logits) - threshold)) > 1e-5


def test_thresholds_have_no_more_digits_than_they_need():
    scores = np.array([0.1, 0.23456, 0.45678, 0.3, 0.7, 0.9])
    real_below, fake_above = thresholds(scores, np.array([0, 0, 0, 1, 1, 1]), 0.05)
    assert (real_below, fake_above) == (0.27, 0.58)


def test_the_published_calibration_names_its_false_positive_rate():
    logits, is_fake = _sample(200, scale=1.0, bias=0.0)
    calibration = calibrate(
        clip_logits=logits,
        is_fake=is_fake,
        frame_logits=logits,
        frame_is_fake=is_fake,
        max_false_positive_rate=0.05,
    )
    assert calibration.false_positive_rate == 0.05
    assert calibration.frame_scale == calibration.scale
