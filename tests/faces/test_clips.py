import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dfjax.commands.prepare import Prepare
from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.faces.clips import FaceClips, read_face_clips, shown_boxes, shown_scales
from dfjax.faces.crops import detail
from dfjax.faces.detection import FaceDetector
from dfjax.video.info import describe_frames
from tests.videos import portrait_frames

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
    dark, darker = ((portrait * share).astype(np.uint8) for share in (0.3, 0.15))
    flat = (127 + 0.4 * (portrait.astype(float) - 127)).astype(np.uint8)
    half = np.asarray(Image.fromarray(portrait).resize((112, 112), Image.Resampling.BOX))
    for same in (dark, darker, flat, half):
        assert detail(same[None]) == pytest.approx(clear, rel=0.15)
    values = [detail(_blurred(portrait, radius)[None]) for radius in (0, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < MIN_DETAIL < clear
    assert detail(np.full((1, 64, 64, 3), 90, np.uint8)) == 0


def test_one_frame_out_of_focus_does_not_make_a_face_a_blurred_one():
    portrait = portrait_frames(1)[0][40:264, 120:344]
    clear = detail(portrait[None])
    for odd in (_blurred(portrait), np.full_like(portrait, 90)):
        assert detail(np.stack([portrait, odd, portrait])) == clear


INFO = describe_frames([np.zeros((480, 640, 3), np.uint8)], np.zeros(1))


def test_boxes_are_in_whole_pixels_of_the_video_and_end_where_it_ends():
    boxes = np.array([[10.2, 20.6, 50.0, 60.0], [-8.0, -3.0, 330.0, 250.0]])
    shown = shown_boxes(boxes, INFO, (240, 320))
    assert shown.tolist() == [[20, 41, 100, 120], [0, 0, 640, 480]]
    assert shown.dtype == np.int64


def test_a_picture_of_another_size_is_shown_as_large_as_fits_into_the_frame():
    sizes = [(480, 640), (240, 320), (480, 270), (120, 640)]
    fitted = dataclasses.replace(INFO, is_fitted=True)
    np.testing.assert_array_equal(shown_scales(sizes, fitted), [1, 2, 1, 1])
    assert shown_scales(sizes, INFO) is None
