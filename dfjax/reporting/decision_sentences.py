"""How a verdict follows from a probability, in words: for the page and for reports on videos."""

from dfjax.prediction import Decision
from dfjax.shown_numbers import threshold_percent
from dfjax.words import words


def withheld(decision: Decision) -> str:
    """Returns why a model gives no verdict."""
    is_measured = decision.false_positive_rate is not None
    return words.verdict.withheld if is_measured else words.verdict.uncalibrated


def decision_sentence(decision: Decision) -> str:
    """Returns how the verdict follows from the probability, and how often it is wrong on reals."""
    if decision.is_withheld:
        return words.verdict.none_given
    below, above = threshold_percent(decision.real_below), threshold_percent(decision.fake_above)
    is_one_line = decision.real_below == decision.fake_above
    rule = words.verdict.two_zones if is_one_line else words.verdict.three_zones
    sentences = [rule.format(above=above, below=below)]
    if decision.false_positive_rate is None:
        sentences.append(words.verdict.errors_unknown)
    else:
        rate = threshold_percent(decision.false_positive_rate)
        sentences.append(words.verdict.false_positives.format(rate=rate))
    if decision.false_negative_rate is not None and decision.real_below < decision.fake_above:
        rate = threshold_percent(decision.false_negative_rate)
        sentences.append(words.verdict.false_negatives.format(rate=rate))
    return " ".join(sentences)
