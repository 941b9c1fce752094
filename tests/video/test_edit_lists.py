"""An MP4 may say which parts of it are shown; they are read as a player shows them."""

import struct
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.reading import probe, read_frames
from tests.video.mp4_boxes import boxes
from tests.videos import frame_number, moving_pattern, write_video

_FPS = 10
_EDTS = [b"moov", b"trak", b"edts"]


@pytest.fixture(scope="module", params=[2, 0], ids=["b_frames", "no_b_frames"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s, numbered from 0 on, with a keyframe every 2 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    options = ["-g", "20", "-bf", str(request.param), "-sc_threshold", "0"]
    return write_video(path, moving_pattern(80, 48, 64), _FPS, arguments=options)


def edited(clip: Path, out: Path, parts: list[tuple[float, float]]) -> Path:
    """Writes an MP4 with an edit list: from which second on each part is, and for how many."""
    content = bytearray(clip.read_bytes())
    (table,) = boxes(content, [*_EDTS, b"elst"])
    (clock,) = boxes(content, [b"moov", b"trak", b"mdia", b"mdhd"])
    (ticks,) = struct.unpack_from(">I", content, clock + 20)
    size, *_, first = struct.unpack_from(">I4sIIIi", content, table)
    entries = [
        struct.pack(">IiI", round(1000 * seconds), first + round(ticks * start), 1 << 16)
        for start, seconds in parts
    ]
    edits = struct.pack(">I4sII", 16 + 12 * len(parts), b"elst", 0, len(parts)) + b"".join(entries)
    parents = [at for depth in range(len(_EDTS)) for at in boxes(content, _EDTS[: depth + 1])]
    for parent in parents:
        (old,) = struct.unpack_from(">I", content, parent)
        struct.pack_into(">I", content, parent, old + len(edits) - size)
    content[table : table + size] = edits
    out.write_bytes(content)
    return out


@pytest.mark.parametrize("one_pass", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        [(0.0, 2.0), (4.0, 2.0)],  # from keyframe to keyframe
        [(0.0, 3.0), (5.0, 3.0)],  # cut in the middle of what is decoded together
        [(0.0, 1.5), (3.5, 1.5), (6.0, 1.0)],
        [(4.0, 2.0), (0.0, 2.0)],  # in another order
        [(2.1, 1.5), (2.1, 1.5)],  # twice
    ],
)
def test_parts_of_an_edit_list_are_read_at_the_times_of_a_player(
    clip, tmp_path, monkeypatch, parts, one_pass
):
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: one_pass)
    info = probe(edited(clip, tmp_path / "edited.mp4", parts))
    shown = [round(_FPS * start) + n for start, length in parts for n in range(round(10 * length))]
    assert info.frame_times is not None
    # ffmpeg leaves out a frame or two at a seam.
    assert len(shown) - 2 * (len(parts) - 1) <= len(info.frame_times.shown) <= len(shown)
    assert np.diff(info.frame_times.shown).max() < 3.5 / _FPS
    frames = list(read_frames(tmp_path / "edited.mp4", VideoConfig(num_frames=12), info=info))
    assert len(frames) == 12
    for time, frame in frames:
        assert frame_number(frame) == shown[round(_FPS * time)]


def test_a_cut_first_keyframe_leaves_every_frame_what_it_is(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "_UNREFERRED", 1e9)  # so that even of a short clip some is left out
    path = edited(clip, tmp_path / "edited.mp4", [(0.1, 4.0), (6.1, 1.9)])
    shown = [*range(1, 41), *range(61, 80)]
    frames = list(read_frames(path, VideoConfig(num_frames=12)))
    assert len(frames) == 12
    for time, frame in frames:
        assert frame_number(frame) == shown[round(_FPS * time)]
