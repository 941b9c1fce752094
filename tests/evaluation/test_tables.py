"""Markdown tables, whose cells may come from data that somebody else has named."""

import pytest
from markdown_it import MarkdownIt

from dfjax.evaluation.tables import Markdown, as_it_is, table


@pytest.mark.parametrize(
    "text",
    [
        "a | b",
        "two\nlines",
        "[a link](https://example.com)",
        "![a picture](https://example.com/a.png)",
        "<b>bold</b>",
        "<https://example.com>",
        "*a* **b** _c_ __d__ ~~e~~",
        "`code` and ``more``",
        "&amp; & &lt;",
        "back\\slash\\",
        "\\| escaped",
        "probability_fake, __init__",
    ],
)
def test_a_cell_from_data_is_shown_as_it_is(text):
    shown = MarkdownIt("gfm-like", {"linkify": False}).parse(table(["name", "more"], [[text, 1]]))
    cells = [token for token in shown if token.type == "inline"]
    assert len(cells) == 4 and cells[3].content == "1"
    pieces = cells[2].children or []
    assert {piece.type for piece in pieces} == {"text"}
    assert "".join(piece.content for piece in pieces) == " ".join(text.split("\n"))


def test_what_is_markdown_of_our_own_stays_so():
    assert table(["a"], [[Markdown("**b** | [c](d)")]]).endswith("| **b** \\| [c](d) |")


def test_words_keep_their_underscores():
    assert as_it_is("still_pairs") == "still_pairs"
