"""MiniDV, and what Avid and Resolve write."""

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, write_video

_DV = ["-s", "720x576"]
_DNXHR = ["-profile:v", "dnxhr_sq"]


@pytest.mark.parametrize(
    "suffix, encoder, pixel_format, arguments, size",
    [
        ("avi", "dvvideo", "yuv420p", _DV, (768, 576)),
        ("mov", "dvvideo", "yuv420p", _DV, (768, 576)),
        ("mov", "dvvideo", "yuv422p", _DV, (768, 576)),
        ("mov", "dnxhd", "yuv422p", _DNXHR, (256, 144)),
        ("mkv", "dnxhd", "yuv422p", _DNXHR, (256, 144)),
        ("mov", "dnxhd", "yuv422p10le", ["-profile:v", "dnxhr_hqx"], (256, 144)),
    ],
)
def test_what_cameras_and_editors_record_is_read(
    tmp_path, suffix, encoder, pixel_format, arguments, size
):
    frames = moving_pattern(25, 144, 256)
    path = tmp_path / f"clip.{suffix}"
    write_video(path, frames, codec=encoder, pixel_format=pixel_format, arguments=arguments)
    info = probe(path)
    assert (info.codec, (info.width, info.height)) == (encoder, size)
    assert info.duration == pytest.approx(1.0, abs=0.002)
    read = list(read_frames(path, VideoConfig(num_frames=5), info=info))
    assert [frame_number(frame) for _, frame in read] == [0, 5, 10, 15, 20]
    for number, (_, frame) in zip((0, 5, 10, 15, 20), read, strict=True):
        np.testing.assert_allclose(frame.mean((0, 1)), frames[number].mean((0, 1)), atol=6)
