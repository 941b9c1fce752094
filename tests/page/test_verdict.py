import numpy as np
import pytest

from dfjax.page.verdict import ICONS, spoken_summary
from dfjax.prediction import Decision
from dfjax.reporting.decision_sentences import decision_sentence
from dfjax.shown_numbers import percent, whole_percent
from dfjax.words import LANGUAGES, speaking, words
from tests.page.samples import DECISION, sample_prediction

ONE_LINE = Decision(real_below=0.5, fake_above=0.5, false_positive_rate=None)


def test_every_label_has_its_own_words_and_its_own_shape():
    assert set(ICONS) == {"real", "fake", "uncertain", "no_face"}
    assert len(set(words.verdict.titles.as_dict().values())) == 4
    assert len(set(ICONS.values())) == 4


def test_real_is_never_stated_as_a_fact_and_no_face_never_as_real():
    assert words.verdict.titles.real == "Likely real"
    assert "no proof" in words.verdict.explanations.real
    assert "real" not in words.verdict.titles.no_face.lower()
    assert "says nothing" in words.verdict.explanations.no_face


@pytest.mark.parametrize("decision", [DECISION, ONE_LINE])
def test_the_number_shown_never_contradicts_the_verdict(decision):
    near = [t + d for t in (0.3, 0.5, 0.7) for d in (-0.004, -0.0004, 0.0004, 0.004)]
    for probability in [*np.linspace(0.00513, 0.99487, 991), *near]:
        shown = float(percent(float(probability), decision).rstrip("%")) / 100
        assert decision.label(shown) == decision.label(float(probability)), probability


def test_certainty_is_never_claimed():
    assert percent(0.0, DECISION) == "<1%"
    assert percent(1.0, DECISION) == ">99%"
    assert percent(0.934, DECISION) == "93%"


def test_the_error_rate_is_named_or_said_to_be_unmeasured():
    """Of the validation videos themselves more may be called fake: a person may have many."""
    said = "at most 5% of real videos of people like those in the validation data lie above it"
    assert said in decision_sentence(DECISION)
    assert "false-positive rate" in decision_sentence(DECISION)
    assert "The line for “likely fake” was set" in decision_sentence(DECISION)
    assert "has not been measured" in decision_sentence(ONE_LINE)
    assert "uncertain" not in decision_sentence(ONE_LINE)


def test_page_and_report_say_that_a_fake_is_taken_to_be_as_likely_as_not():
    """Whoever searches an archive would take 85% for what it is not."""
    for limits in (words.page.limits_list, words.report.limits_text):
        (said,) = (why for claim, why in limits if "“Likely fake” is not proof" in claim)
        assert "takes a fake to be as likely as not beforehand" in said


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_verdict_calls_a_picture_no_video(code):
    with speaking(code):
        said = [*words.verdict.explanations.as_dict().values(), words.page.not_checked]
        said += [words.verdict.withheld, words.verdict.uncalibrated, words.verdict.none_given]
    assert "video" not in " ".join(said).lower()


def test_a_screen_reader_hears_the_verdict_and_the_number():
    spoken = spoken_summary(sample_prediction("fake"))
    assert spoken == "Verdict: Likely fake. Probability of manipulation: 93%."
    assert "No face found" in spoken_summary(sample_prediction("no_face"))


def test_a_model_without_verdicts_says_so_instead_of_naming_thresholds():
    withheld = Decision(real_below=0.0, fake_above=1.0, false_positive_rate=0.0)
    assert withheld.label(0.999) == withheld.label(0.001) == "uncertain"
    assert "no verdict" in decision_sentence(withheld)
    assert "%" not in decision_sentence(withheld)


def test_certainty_is_never_claimed_even_at_the_edge():
    assert [whole_percent(p) for p in (0.0, 0.005, 0.0051, 0.9949, 0.995, 1.0)] == [
        *("<1%", "<1%", "1%", "99%", ">99%", ">99%"),
    ]
