import numpy as np
import pytest

from dfjax.evaluation.metrics import bootstrap_interval, confusion, roc_auc


def test_auc_is_the_share_of_pairs_in_the_right_order():
    is_fake, scores = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.6, 0.5, 0.7, 0.6])
    pairs = [(s > r) + 0.5 * (s == r) for s in scores[2:] for r in scores[:2]]
    assert roc_auc(is_fake, scores) == pytest.approx(np.mean(pairs))


def test_confusion_counts_a_score_at_the_threshold_as_real():
    counts = confusion(np.array([0, 0, 1, 1]), np.array([0.5, 0.6, 0.5, 0.7]), 0.5)
    assert (counts.true_real, counts.false_fake) == (1, 1)
    assert (counts.false_real, counts.true_fake) == (1, 1)


def test_always_answering_fake_has_balanced_accuracy_one_half():
    is_fake = np.array([1] * 323 + [0] * 77)
    assert confusion(is_fake, np.ones(400), 0.5).balanced_accuracy == 0.5


def test_the_interval_holds_the_value_and_repeats():
    generator = np.random.default_rng(0)
    is_fake = np.tile([0, 1], 50)
    scores = is_fake + generator.normal(size=100)
    groups = [str(i // 2) for i in range(100)]
    first = bootstrap_interval(roc_auc, is_fake, scores, groups)
    assert first == bootstrap_interval(roc_auc, is_fake, scores, groups)
    assert first[0] < roc_auc(is_fake, scores) < first[1]


def test_videos_of_one_identity_do_not_narrow_the_interval():
    """Ten copies of every video are no more evidence than one."""
    generator = np.random.default_rng(0)
    is_fake = np.tile([0, 1], 20)
    scores = is_fake + generator.normal(size=40)
    groups = [str(i // 2) for i in range(40)]
    once = bootstrap_interval(roc_auc, is_fake, scores, groups)
    copied = bootstrap_interval(
        roc_auc, np.repeat(is_fake, 10), np.repeat(scores, 10), np.repeat(groups, 10).tolist()
    )
    assert np.ptp(copied) == pytest.approx(np.ptp(once), rel=0.2)


def test_an_interval_of_one_class_is_refused():
    with pytest.raises(ValueError, match="one kind"):
        bootstrap_interval(roc_auc, np.ones(4), np.arange(4.0), list("abcd"))
