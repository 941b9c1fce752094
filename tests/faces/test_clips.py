import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dfjax.commands.prepare import Prepare
from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.faces.clips import FaceClips, face_clips, read_face_clips
from dfjax.faces.crops import detail
from dfjax.faces.detection import FaceDetector
from dfjax.video.reading import planned_frames, read_frames
from tests.videos import moving_pattern, portrait_frames, run_ffmpeg, write_video

MIN_DETAIL = Prepare.min_detail
CONFIG = Config(
    video=VideoConfig(num_frames=2), crops=CropConfig(image_size=112, min_detail=MIN_DETAIL)
)


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


def _blurred(picture: np.ndarray, radius: float = 5) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _read(tmp_path, face_detector, *portraits: np.ndarray, config: Config = CONFIG) -> FaceClips:
    Image.fromarray(np.concatenate(portraits, axis=1)).save(tmp_path / "faces.png")
    return read_face_clips(tmp_path / "faces.png", config, face_detector)


def test_a_blurred_face_beside_a_clear_one_is_left_out_and_counted(tmp_path, face_detector):
    portrait = portrait_frames(1)[0]
    read = _read(tmp_path, face_detector, _blurred(portrait), portrait)
    (clip,) = read.clips
    assert read.num_blurred == 1
    assert clip.boxes_xyxy[0, 0] > portrait.shape[1]  # the right one
    everyone = dataclasses.replace(CONFIG.crops, min_detail=0.0)
    config = dataclasses.replace(CONFIG, crops=everyone)
    read = _read(tmp_path, face_detector, _blurred(portrait), portrait, config=config)
    assert (len(read.clips), read.num_blurred) == (2, 0)


def test_where_all_are_blurred_or_all_are_clear_all_are_kept(tmp_path, face_detector):
    portrait = portrait_frames(1)[0]
    for picture in (portrait, _blurred(portrait)):
        read = _read(tmp_path, face_detector, picture, picture)
        assert (len(read.clips), read.num_blurred) == (2, 0)


def test_detail_is_of_focus_and_not_of_light_contrast_or_size():
    portrait = portrait_frames(1)[0][40:264, 120:344]
    clear = detail(portrait[None])
    dark = (portrait * 0.3).astype(np.uint8)
    flat = (127 + 0.4 * (portrait.astype(float) - 127)).astype(np.uint8)
    half = np.asarray(Image.fromarray(portrait).resize((112, 112), Image.Resampling.BOX))
    for same in (dark, flat, half):
        assert detail(same[None]) == pytest.approx(clear, rel=0.15)
    values = [detail(_blurred(portrait, radius)[None]) for radius in (0, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < MIN_DETAIL < clear
    assert detail(np.full((1, 64, 64, 3), 90, np.uint8)) == 0


@pytest.fixture(scope="module")
def minute(tmp_path_factory) -> Path:
    """Two people for a minute, at ten frames a second."""
    frames = portrait_frames(120, num_faces=2)
    path = tmp_path_factory.mktemp("long") / "minute.mp4"
    return write_video(path, (frames[n % 120] for n in range(600)), fps=10)


LONG = Config(video=VideoConfig(num_frames=8, burst_frames=4), crops=CropConfig(image_size=64))


def test_a_long_video_read_burst_by_burst_gives_the_crops_of_all_its_frames_together(
    minute, face_detector
):
    """Only crops are kept of it, but they are the same to the bit."""
    read = read_face_clips(minute, LONG, face_detector, effort="standard")
    assert len(read.timestamps) == 20 * 4
    video = dataclasses.replace(LONG.video, num_frames=80)
    times, frames = zip(*read_frames(minute, video), strict=True)
    together = face_clips(frames, np.array(times), LONG, face_detector)
    np.testing.assert_array_equal(read.timestamps, together.timestamps)
    assert [clip.track_id for clip in read.clips] == [clip.track_id for clip in together.clips]
    for long, short in zip(read.clips, together.clips, strict=True):
        np.testing.assert_array_equal(long.frame_indices, short.frame_indices)
        np.testing.assert_array_equal(long.frames, short.frames)
        np.testing.assert_array_equal(long.boxes_xyxy, short.boxes_xyxy)
        np.testing.assert_array_equal(long.landmarks, short.landmarks)


def test_every_three_seconds_get_four_frames_unless_looked_at_quickly(minute, face_detector):
    read = read_face_clips(minute, LONG, face_detector, effort="thorough")
    for start in np.arange(0, 57, 0.5):
        seen = (read.timestamps >= start) & (read.timestamps < start + 3.5)
        assert seen.sum() >= 4
    quick = read_face_clips(minute, LONG, face_detector)
    assert len(quick.timestamps) == 8


def test_effort_has_a_budget_and_a_short_video_needs_none():
    config = VideoConfig(num_frames=32, burst_frames=4)
    frames = [planned_frames(600.0, config, effort) for effort in ("quick", "standard", "thorough")]
    assert frames == [32, 128, 800]
    assert planned_frames(3600.0, config, "thorough") == 1024
    assert {planned_frames(24.0, config, effort) for effort in ("quick", "thorough")} == {32}


def test_a_long_video_without_a_face_has_none_however_hard_it_is_looked_at(tmp_path, face_detector):
    pattern = moving_pattern(60)
    path = write_video(tmp_path / "pattern.mp4", (pattern[n % 60] for n in range(300)), fps=10)
    assert read_face_clips(path, LONG, face_detector, effort="standard").clips == ()


def _turned(folder: Path, seconds: float) -> Path:
    """Writes a face in a wide picture, then in a high one, then in a smaller high one."""
    listing = []
    for n, size in enumerate([(240, 320), (320, 240), (240, 180)]):
        frames = portrait_frames(20, size)
        many = (frames[k % 20] for k in range(round(10 * seconds)))
        write_video(folder / f"{n}.webm", many, 10, codec="libvpx", arguments=["-b:v", "2M"])
        listing.append(f"file {n}.webm\n")
    (folder / "list").write_text("".join(listing))
    run_ffmpeg("-f", "concat", "-i", folder / "list", "-c", "copy", folder / "turned.webm")
    return folder / "turned.webm"


@pytest.mark.parametrize("seconds, effort", [(1, "quick"), (12, "standard")])
def test_a_picture_that_turns_is_judged_in_each_shape_and_as_another_view(
    tmp_path, face_detector, seconds, effort
):
    read = read_face_clips(_turned(tmp_path, seconds), LONG, face_detector, effort=effort)
    assert (read.info.width, read.info.height, read.info.is_fitted) == (320, 320, True)
    wide, high = read.clips  # a picture that only shrinks shows the same face on
    assert len(wide.frame_indices) + len(high.frame_indices) == len(read.timestamps)
    for clip in (wide, high):
        sides = clip.boxes_xyxy[:, 2:] - clip.boxes_xyxy[:, :2]
        assert 0.6 < np.median(sides[:, 0] / sides[:, 1]) < 1.0  # a face's, not squeezed
    # The smaller picture is shown as large as the larger one.
    heights = high.boxes_xyxy[:, 3] - high.boxes_xyxy[:, 1]
    assert heights.max() < 1.3 * heights.min()
