"""What pictures of figures have in common. Each is a figure of its own: no window, no state."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

GREY = "0.6"
"""Of the lines that stand for chance."""

_CHARACTERS_PER_INCH = 12  # of a caption; the widest of such a line still fits


def entitle(figure: Figure, title: str, caption: str) -> None:
    """Writes a title and a caption over the figure, in lines as wide as it is.

    Args:
      figure: To write over.
      title: What the picture shows.
      caption: Names the data: data sets, split and counts.
    """
    width = int(_CHARACTERS_PER_INCH * figure.get_figwidth())
    lines = [line for text in (title, caption) for line in textwrap.wrap(text, width)]
    figure.suptitle("\n".join(lines), fontsize="medium")


def one_panel(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns an empty figure, inches, with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def draw_intervals(axes: Axes, labels: Sequence[str], figures: Sequence[Mapping[str, Any]]) -> None:
    """Draws a point and a line per figure, from top to bottom; says so where there is none.

    Args:
      axes: To draw on.
      labels: One per figure.
      figures: Each with `value`, `interval` and `reason`.
    """
    for place, figure in enumerate(figures):
        if figure["value"] is None:
            axes.text(0.5, place, f"  {figure['reason']}", va="center", fontsize="small")
            continue
        if figure["interval"] is not None:
            axes.plot(figure["interval"], [place, place], color="C0", linewidth=1.5)
        axes.plot(figure["value"], place, "o", color="C0")
    axes.axvline(0.5, color=GREY, linewidth=0.8)  # chance
    axes.set_yticks(range(len(labels)), labels, fontsize="small")
    lows = [end for figure in figures for end in (figure["interval"] or [0.5])]
    axes.set(xlim=(max(0.0, min([0.45, *lows]) - 0.02), 1.01), ylim=(len(labels) - 0.5, -0.5))
    axes.grid(axis="x", color="0.9")
