"""How probabilities, thresholds and times are written, on the page and in reports."""

import math

from dfjax.prediction import Decision

_SHORT = 5.0  # seconds


def percent(probability: float, decision: Decision) -> str:
    """Returns a probability as text, in whole per cent where that tells the truth.

    Decimals are added where rounding would carry it over a threshold, so that the number never
    contradicts the verdict beside it; certainty is never claimed.
    """
    whole = whole_percent(probability)
    if not whole[0].isdigit():
        return whole
    texts = [f"{100 * probability:.{decimals}f}" for decimals in range(4)]
    label = decision.label(probability)
    return next((t for t in texts if decision.label(float(t) / 100) == label), texts[-1]) + "%"


def whole_percent(probability: float) -> str:
    """Returns a probability to which no threshold applies as text, in whole per cent."""
    if probability <= 0.005:
        return "<1%"
    if probability >= 0.995:
        return ">99%"
    return f"{100 * probability:.0f}%"


def frame_value(probability: float) -> str:
    """Returns a frame's probability as text, from 0 to 100: of a scale of its own, not in per cent.

    Per cent would invite to compare it with the thresholds, which are for whole videos.
    """
    return f"{100 * probability:.0f}"


def threshold_percent(threshold: float) -> str:
    """Returns a threshold in per cent, with the decimals that it has (at most two)."""
    return f"{100 * threshold:.2f}".rstrip("0").rstrip(".") + "%"


def clock(seconds: float, decimals: int = 0) -> str:
    """Returns a time in a video as a viewer reads it: "4.2 s", "1:07", "1:02:30".

    Args:
      seconds: The time.
      decimals: Of the seconds, from a minute on: "1:07.20".
    """
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole, part = divmod(math.floor(seconds * 10**decimals + 1e-6), 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text


def clocks(start: float, end: float) -> tuple[str, str]:
    """Returns the `clock` of both ends of a stretch, with tenths if it is short."""
    decimals = 1 if end - start < _SHORT else 0
    return clock(start, decimals), clock(end, decimals)
