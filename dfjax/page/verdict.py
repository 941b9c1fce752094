"""The words and the mark of each verdict."""

import dataclasses

from dfjax.prediction import Decision, Label, Prediction
from dfjax.shown_numbers import percent, threshold_percent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """How one label is shown. Words and shape say it; colour only repeats it."""

    title: str
    explanation: str
    icon: str  # what is inside an SVG of 24x24


# The shapes differ in outline too: triangle, shield, circle, dashed frame.
VERDICTS: dict[Label, Verdict] = {
    "fake": Verdict(
        title="Likely fake",
        explanation="The model finds signs of manipulation in at least one face.",
        icon='<path d="M12 3.2 22 20.5H2z"/><path d="M12 9.5v5.2M12 17.4v.2"/>',
    ),
    "real": Verdict(
        title="Likely real",
        explanation="The model finds no sign of manipulation. "
        "That is no proof that the video is genuine.",
        icon='<path d="M12 2.5 20 5.6v6c0 5-3.4 8.4-8 9.9-4.6-1.5-8-4.9-8-9.9v-6z"/>'
        '<path d="m8.3 12 2.7 2.7 4.8-5.2"/>',
    ),
    "uncertain": Verdict(
        title="Uncertain",
        explanation="The evidence is not plain enough for a verdict. "
        "Treat the video as unverified.",
        icon='<circle cx="12" cy="12" r="9.3"/>'
        '<path d="M9.2 9.4c.3-3.4 5.8-3.3 5.7.1 0 2.2-2.8 2.3-2.8 4.5M12.1 17v.2"/>',
    ),
    "no_face": Verdict(
        title="No face found",
        explanation="There was nothing to judge. "
        "This says nothing about whether the video is genuine.",
        icon='<path d="M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5"/><path d="M8.5 12h7"/>',
    ),
}

WITHHELD = "This model is too weak to judge. Treat the video as unverified."
"""In place of the explanation of "uncertain", for a model that gives no verdict."""

UNCALIBRATED = (
    "This model was never calibrated, so it gives no verdict. Its probability is a hint; treat the "
    "video as unverified."
)
"""The same, for a model whose error rates were not measured."""


def withheld(decision: Decision) -> str:
    """Returns why a model gives no verdict."""
    return UNCALIBRATED if decision.false_positive_rate is None else WITHHELD


def decision_sentence(decision: Decision) -> str:
    """Returns how the verdict follows from the probability, and how often it is wrong on reals."""
    if decision.is_withheld:
        return "This model gives no verdict: every video with a face is called uncertain."
    below, above = threshold_percent(decision.real_below), threshold_percent(decision.fake_above)
    if decision.real_below == decision.fake_above:
        rule = f"“Likely fake” is said above {above}, “likely real” below it."
    else:
        rule = (
            f"“Likely fake” is said above {above}, “likely real” below {below}, "
            "“uncertain” in between."
        )
    if decision.false_positive_rate is None:
        error = (
            "How often a real video lands above that line has not been measured for this model: "
            "read the verdict as a hint."
        )
    else:
        rate = threshold_percent(decision.false_positive_rate)
        error = (
            f"That line was set so that at most {rate} of the real validation videos lie above it "
            "(false-positive rate)."
        )
    if decision.false_negative_rate is not None and decision.real_below < decision.fake_above:
        rate = threshold_percent(decision.false_negative_rate)
        error += f" At most {rate} of the fake ones lie below the other (false-negative rate)."
    return f"{rule} {error}"


def spoken_summary(prediction: Prediction) -> str:
    """Returns the verdict as one sentence for a screen reader."""
    verdict = VERDICTS[prediction.label]
    if prediction.probability_fake is None:
        return f"Verdict: {verdict.title}. {verdict.explanation}"
    number = percent(prediction.probability_fake, prediction.decision)
    number = number.replace("<", "under ").replace(">", "over ")
    return f"Verdict: {verdict.title}. Probability of manipulation: {number}."
