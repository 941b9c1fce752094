import re
from pathlib import Path

import pytest

import dfjax.page
from dfjax.page.plot import NUM_SHADES

FOLDER = Path(dfjax.page.__file__).parent

STYLE = "".join(
    (FOLDER / name).read_text("utf-8") for name in ("style.css", "evidence.css", "live.css")
)


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
    shades = [contrast(colours[f"s{shade}"], colours["none-tint"]) for shade in range(NUM_SHADES)]
    assert shades == sorted(shades) and shades[0] >= 3


def test_the_name_of_a_face_can_be_read_over_any_picture():
    tags = re.findall(r"--df-shown: (#[0-9a-f]{6})", STYLE)
    assert len(tags) == 8
    assert all(contrast(tag, "#ffffff") >= 4.5 for tag in tags)


def test_every_bar_that_is_colour_alone_stays_where_the_system_takes_the_colours():
    forced = "".join(re.findall(r"@media \(forced-colors: active\) \{(.*?)\n\}", STYLE, re.DOTALL))
    for name in (
        ".df-scale i",
        ".df-meter b",
        ".df-bar i",
        ".df-bars",
        ".df-shade",
        ".df-playhead",
    ):
        assert name in forced


def test_the_style_sheet_names_no_other_host():
    assert "http" not in STYLE and "@import" not in STYLE and "url(" not in STYLE
