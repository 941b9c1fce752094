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


def blend(colour, ground, opacity):
    pairs = [(int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * one + (1 - opacity) * two):02x}" for one, two in pairs)


def opacity_of(selector, style=STYLE):
    (found,) = re.findall(re.escape(selector) + r" \{[^}]*?opacity: (0\.\d+);", style)
    return float(found)


@pytest.mark.parametrize("selector", [":root", ".dark"])
def test_bars_can_be_seen_in_a_stretch_and_each_zone_of_a_scale_on_its_ground(selector):
    colours, shade = variables(selector), opacity_of(".df-shade")
    for label in ("fake", "real", "uncertain"):
        ground = blend(colours[label], colours["none-tint"], shade)
        assert all(contrast(colours[f"s{n}"], ground) >= 3 for n in range(NUM_SHADES)), label
    zones = [opacity_of(f"{scale} .df-zone-uncertain") for scale in (".df-scale", ".df-shares")]
    for opacity in zones:
        for name in ("card", "fake-tint", "real-tint", "uncertain-tint", "none-tint"):
            shown = blend(colours["uncertain"], colours[name], opacity)
            assert contrast(shown, colours[name]) >= 3, (name, opacity)


def test_the_zone_of_a_kept_report_between_the_thresholds_can_be_seen():
    style = (FOLDER.parent / "reporting/templates/video_report.css").read_text("utf-8")
    opacity = opacity_of(".zone-uncertain", style)
    modes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(modes) == 2
    for mode in modes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", mode))
        for label in ("fake", "real", "uncertain"):
            ground = colours[f"{label}-soft"]
            assert contrast(blend(colours["uncertain"], ground, opacity), ground) >= 3, label


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
