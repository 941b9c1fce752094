"""The words that people read on the page and in reports: one file a language, chosen by context.

`words` gives them in the language that the code around it speaks: English, unless it runs inside
`speaking`. So the command line and the API speak English, and a page the language of its visitor.
"""

from dfjax.words.catalogue import (
    ENGLISH,
    LANGUAGES,
    Language,
    Words,
    language,
    preferred_language,
    speaking,
    translated,
    words,
)

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Language",
    "Words",
    "language",
    "preferred_language",
    "speaking",
    "translated",
    "words",
]
