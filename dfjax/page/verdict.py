"""The mark and the sentences of each verdict."""

from dfjax.prediction import Label, Prediction
from dfjax.shown_numbers import percent
from dfjax.words import words

# Words and shape say it; colour only repeats it. The shapes differ in outline too: triangle,
# shield, circle, dashed frame.
ICONS: dict[Label, str] = {
    "fake": '<path d="M12 3.2 22 20.5H2z"/><path d="M12 9.5v5.2M12 17.4v.2"/>',
    "real": (
        '<path d="M12 2.5 20 5.6v6c0 5-3.4 8.4-8 9.9-4.6-1.5-8-4.9-8-9.9v-6z"/>'
        '<path d="m8.3 12 2.7 2.7 4.8-5.2"/>'
    ),
    "uncertain": (
        '<circle cx="12" cy="12" r="9.3"/>'
        '<path d="M9.2 9.4c.3-3.4 5.8-3.3 5.7.1 0 2.2-2.8 2.3-2.8 4.5M12.1 17v.2"/>'
    ),
    "no_face": '<path d="M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5"/><path d="M8.5 12h7"/>',
}
"""What is inside an SVG of 24x24."""


def spoken_summary(prediction: Prediction) -> str:
    """Returns the verdict as one sentence for a screen reader."""
    title = words.verdict.titles[prediction.label]
    if prediction.probability_fake is None:
        explanation = words.verdict.explanations[prediction.label]
        return words.verdict.spoken.format(title=title, explanation=explanation)
    number = percent(prediction.probability_fake, prediction.decision)
    number = number.replace("<", words.verdict.under).replace(">", words.verdict.over)
    return words.verdict.spoken_probability.format(title=title, percent=number)
