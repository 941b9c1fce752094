import re
from pathlib import Path

import pytest

import dfjax.page

_FOLDER = Path(dfjax.page.__file__).parent
STYLE = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("style.css", "live.css"))


def variables(selector):
    block = re.search(re.escape(selector) + r" \{(.*?)\}", STYLE, re.DOTALL)
    assert block
    return dict(re.findall(r"--df-([\w-]+): (#[0-9a-f]{6})", block.group(1)))


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.2, success criterion 1.4.3."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("selector", [":root", ".dark"])
def test_every_text_can_be_read_in_light_and_dark_mode(selector):
    colours = variables(selector)
    pairs = [(text, "card") for text in ("text", "muted", "accent", "fake", "real")]
    for label in ("fake", "real", "uncertain", "none"):
        pairs += [(text, f"{label}-tint") for text in (label, "text", "muted")]
    for text, ground in pairs:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("selector", [":root", ".dark"])
def test_every_mark_of_the_plot_can_be_seen(selector):
    colours = variables(selector)
    for track in range(8):
        assert contrast(colours[f"c{track}"], colours["card"]) >= 4.5, track


def test_the_style_sheet_names_no_other_host():
    assert "http" not in STYLE and "@import" not in STYLE and "url(" not in STYLE
