"""Helpers shared by all plots. They use `Figure` directly: no window, no pyplot state."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

GREY = "0.6"
"""Colour of the lines that mark chance."""

_CHARACTERS_PER_INCH = 12  # of a caption; even a line of wide characters fits


def entitle(figure: Figure, title: str, caption: str) -> None:
    """Writes a title and a caption above the figure, wrapped to its width.

    Args:
      figure: The figure to write on.
      title: What the plot shows.
      caption: Names the data: data sets, split and counts.
    """
    width = int(_CHARACTERS_PER_INCH * figure.get_figwidth())
    lines = [line for text in (title, caption) for line in textwrap.wrap(text, width)]
    figure.suptitle("\n".join(lines), fontsize="medium")


def png_bytes(figure: Figure) -> bytes:
    """Returns a figure as the contents of a PNG file."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with two dollar signs is no formula
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def one_panel(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns an empty figure of this size, inches, with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def draw_intervals(axes: Axes, labels: Sequence[str], figures: Sequence[Mapping[str, Any]]) -> None:
    """Draws a point and an interval per figure, top to bottom, or the reason why there is none.

    Args:
      axes: Axes to draw on.
      labels: One per figure.
      figures: One per label, each with `value`, `interval` and `reason`.
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
    drawn = [figure for figure in figures if figure["value"] is not None]
    lows = [end for figure in drawn for end in (figure["value"], *(figure["interval"] or ()))]
    axes.set(xlim=(min([0.45, *lows]) - 0.02, 1.01), ylim=(len(labels) - 0.5, -0.5))
    axes.grid(axis="x", color="0.9")
