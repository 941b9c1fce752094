"""Reads the words of each language, and keeps which one is spoken."""

import contextlib
import contextvars
import functools
import re
import string
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, Final, Literal, get_args

ENGLISH: Final = "en"

Language = Literal["en", "es"]
"""Codes of the languages that there are words in."""

LANGUAGES: tuple[Language, ...] = get_args(Language)


class Words:
    """A part of a language's words; a name leads to a sentence, or to a part of its own."""

    def __init__(self, read: Callable[[], dict[str, Any]]):
        """Takes where the words are.

        Args:
          read: Returns them by their names, as the file of a language holds them.
        """
        self._read = read

    def __getattr__(self, name: str) -> Any:
        try:
            found = self._read()[name]
        except KeyError:
            raise AttributeError(f"there are no words called {name!r}") from None
        return Words(lambda: found) if isinstance(found, dict) else found

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __contains__(self, name: str) -> bool:
        return name in self._read()

    def as_dict(self) -> dict[str, Any]:
        """Returns the words of this part by their names."""
        return dict(self._read())


_language = contextvars.ContextVar("language", default=ENGLISH)


def language() -> str:
    """Returns the code of the language that is spoken here."""
    return _language.get()


@contextlib.contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speaks a language while the context lasts.

    Args:
      code: One of `LANGUAGES`.
    """
    before = _language.set(code)
    try:
        yield
    finally:
        _language.reset(before)


@functools.cache
def catalogue(code: str) -> dict[str, Any]:
    """Returns all words of a language, as its file holds them."""
    file = resources.files("dfjax.words").joinpath(f"{code}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


words = Words(lambda: catalogue(language()))
"""All words, in the language that is spoken where they are asked for."""


def preferred_language(accept_language: str) -> str:
    """Returns the language that somebody likes best of those that there are words in.

    Args:
      accept_language: What a browser says of it, in the form of HTTP's header of that name.

    Example:
      >>> from dfjax.words import preferred_language
      >>> preferred_language("fr-FR, es-MX;q=0.8, en;q=0.5")
      'es'
    """
    wishes = []
    for place, wish in enumerate(accept_language.split(",")):
        tag, _, weight = wish.partition(";")
        found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
        quality = float(found[1]) if found else 1.0
        code = tag.strip().lower().split("-")[0]
        if code in LANGUAGES and quality > 0:
            wishes.append((-quality, place, code))
    return min(wishes)[-1] if wishes else ENGLISH


def translated(sentence: str) -> str | None:
    """Returns a sentence of another part of dfjax in the language that is spoken.

    Args:
      sentence: English, as of a prediction's warnings.

    Returns:
      The translation; None if the sentence is not among the known ones.
    """
    for name, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return words.sentences[name].format(**found.groupdict())
    return None


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Returns what the known sentences look like, by their names."""
    patterns = []
    for name, sentence in catalogue(ENGLISH)["sentences"].items():
        pieces = [
            re.escape(text) + (f"(?P<{field}>.+?)" if field else "")
            for text, field, _, _ in string.Formatter().parse(sentence)
        ]
        patterns.append((name, re.compile("".join(pieces))))
    return patterns
