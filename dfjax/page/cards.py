"""The example videos, as cards to click."""

from collections.abc import Sequence
from os import PathLike
from typing import Protocol

from PIL import Image

from dfjax.page.rendering import render
from dfjax.reporting.crops import jpeg_uri
from dfjax.video.reading import read_frames
from dfjax.words import translated

_POSTER_HEIGHT = 120  # pixels

ON_LOAD = """
element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-example]');
  if (!card) return;
  document.body.dataset.dfPicked = '';
  trigger('click', {index: Number(card.dataset.example)});
});
"""
"""Tells the server which card was clicked, and the page to check what comes of it."""


class ExampleVideo(Protocol):
    """A video that the project made, and what it is."""

    @property
    def path(self) -> str | PathLike[str]:
        """The file."""
        ...

    @property
    def caption(self) -> str:
        """What it shows, in a few words."""
        ...


def example_cards(examples: Sequence[ExampleVideo]) -> str:
    """Returns the cards as HTML; the n-th carries `data-example="n"`.

    Raises:
      VideoError: An example cannot be read.
    """
    cards = [
        {"poster": _poster(example.path), "caption": translated(example.caption) or example.caption}
        for example in examples
    ]
    return render("examples.html", cards=cards)


def _poster(path: str | PathLike[str]) -> str:
    """Returns the first frame of a video as a small JPEG in a `data:` address."""
    _, frame = next(iter(read_frames(path)))
    picture = Image.fromarray(frame)
    picture.thumbnail((4 * _POSTER_HEIGHT, _POSTER_HEIGHT))
    return jpeg_uri(picture, quality=80)
