from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.errors import UnsupportedFormatError, VideoError, VideoLimitError
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from dfjax.video.transcode import transcode
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

FRAMES = moving_pattern(10, 48, 64)


def read(path: Path) -> tuple[list[float], np.ndarray]:
    times, frames = zip(*read_frames(path), strict=True)
    return list(times), np.stack(frames)


def error_of(path: Path, original: Path) -> float:
    """Returns the mean square error of all frames."""
    return float(np.mean((read(path)[1].astype(float) - read(original)[1]) ** 2))


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_video(
        tmp_path_factory.mktemp("video") / "video.mp4", FRAMES, arguments=["-crf", "10"]
    )


@pytest.mark.parametrize(
    "suffix, encoder, pixel_format, options, size",
    [
        ("mp4", "libx264", "yuv420p", ["-colorspace", "bt709", "-color_range", "tv"], (48, 64)),
        ("mp4", "libx264", "yuv444p10le", [], (48, 64)),
        ("avi", "mjpeg", "yuvj420p", [], (48, 64)),
        ("mp4", "mpeg4", "yuv420p", [], (47, 63)),
        ("mkv", "ffv1", "bgr0", [], (48, 64)),
        ("mp4", "libx264", "yuvj420p", [], (48, 64)),
        ("gif", "gif", None, [], (48, 64)),
        ("mp4", "libx264", "yuv420p", ["-aspect", "2"], (48, 64)),  # pixels that are not square
    ],
)
def test_a_lossless_copy_gives_the_same_frames(
    tmp_path, suffix, encoder, pixel_format, options, size
):
    original = write_video(
        tmp_path / f"original.{suffix}",
        moving_pattern(6, *size),
        codec=encoder,
        pixel_format=pixel_format,
        arguments=options,
    )
    transcode(original, tmp_path / "copy.mkv", crf=None)
    times, frames = read(original)
    copied_times, copied = read(tmp_path / "copy.mkv")
    np.testing.assert_array_equal(copied, frames)
    assert copied_times == pytest.approx(times, abs=0.001)  # MKV rounds to 1 ms


def test_a_filter_changes_the_picture_and_nothing_else_does(video, tmp_path):
    transcode(video, tmp_path / "flipped.mkv", crf=None, filters=["hflip", "vflip"])
    turned = read(tmp_path / "flipped.mkv")[1][:, ::-1, ::-1]
    # Chroma samples lie beside the pixels that they colour, so a mirror moves them by half a pixel.
    assert [frame_number(frame) for frame in turned] == list(range(10))
    assert abs(turned.astype(int) - read(video)[1]).mean() < 2


def test_a_higher_crf_loses_more(video, tmp_path):
    for crf in (0, 23, 40):
        transcode(video, tmp_path / f"{crf}.mp4", crf=crf)
    errors = [error_of(tmp_path / f"{crf}.mp4", video) for crf in (0, 23, 40)]
    assert errors[0] < 0.5 < errors[1] < errors[2]
    info = probe(tmp_path / "40.mp4")
    assert (info.codec, info.container) == ("h264", "mov")


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_frames_keep_their_times_at_a_variable_rate(tmp_path, name):
    shown = [0.0, 0.04, 0.2, 0.23, 0.5, 0.9]
    original = write_video(tmp_path / "in.mp4", FRAMES[:6], timestamps=[t + 0.7 for t in shown])
    transcode(original, tmp_path / name, crf=23)
    times, frames = read(tmp_path / name)
    assert times == pytest.approx(shown, abs=0.001)
    assert [frame_number(frame) for frame in frames] == list(range(6))


@pytest.mark.parametrize("crf, name", [(23, "out.mp4"), (None, "out.mkv")])
def test_a_turned_video_is_written_as_it_is_displayed(video, tmp_path, crf, name):
    run_ffmpeg("-display_rotation", "90", "-i", video, "-c", "copy", tmp_path / "turned.mp4")
    assert (probe(tmp_path / "turned.mp4").width, probe(tmp_path / "turned.mp4").height) == (48, 64)
    transcode(tmp_path / "turned.mp4", tmp_path / name, crf=crf)
    assert (probe(tmp_path / name).width, probe(tmp_path / name).height) == (48, 64)
    assert error_of(tmp_path / name, tmp_path / "turned.mp4") < 40


def test_an_odd_row_and_column_are_cut_off_and_the_rest_stays_in_place(tmp_path):
    original = write_video(
        tmp_path / "odd.mkv", moving_pattern(6, 47, 63), codec="ffv1", pixel_format="bgr0"
    )
    transcode(original, tmp_path / "even.mp4", crf=5)
    frames = read(tmp_path / "even.mp4")[1]
    assert frames.shape == (6, 46, 62, 3)
    assert abs(frames.astype(int) - read(original)[1][:, :46, :62]).mean() < 3


def test_the_same_video_gives_the_same_bytes(video, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        transcode(video, tmp_path / name, crf=30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_file_that_is_no_video_is_told_and_leaves_nothing_behind(video, tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    Image.fromarray(FRAMES[0]).save(tmp_path / "still.png")
    for name, error, words in (
        ("text.mp4", UnsupportedFormatError, "text.mp4"),
        ("still.png", VideoError, "still picture"),
        ("absent.mp4", VideoError, "no file"),
    ):
        with pytest.raises(error, match=words):
            transcode(tmp_path / name, tmp_path / "out.mp4", crf=23)
    with pytest.raises(VideoError, match="no_such_filter"):
        transcode(video, tmp_path / "out.mp4", crf=23, filters=["no_such_filter"])
    assert not (tmp_path / "out.mp4").exists()


def test_the_limits_of_reading_hold(video, tmp_path):
    with pytest.raises(VideoLimitError, match="pixels"):
        transcode(
            video, tmp_path / "o.mp4", crf=23, limits=VideoLimits(max_source_pixels=48 * 64 - 1)
        )


def test_a_video_is_never_written_over_itself(video, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    with pytest.raises(ValueError, match="over itself"):
        transcode(copy, copy, crf=23)
    assert copy.read_bytes() == video.read_bytes()


@pytest.mark.parametrize(
    "name, crf, words",
    [("o.avi", 23, "suffix|needed"), ("o.mp4", None, "mkv"), ("o.mp4", 52, "51")],
)
def test_what_cannot_be_written_is_refused(video, tmp_path, name, crf, words):
    with pytest.raises(ValueError, match=words):
        transcode(video, tmp_path / name, crf=crf)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_not_taken_for_damage(video, tmp_path):
    (tmp_path / "out.mkv").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        transcode(video, tmp_path / "out.mkv", crf=23)
