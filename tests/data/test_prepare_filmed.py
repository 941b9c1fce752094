from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data.prepare import prepare
from dfjax.data.prepared import read_clips
from dfjax.data.rows import CodecConfig
from dfjax.data.sources import read_source
from dfjax.video.film import NUM_FRAMES
from tests.videos import moving_pattern, portrait_frames

CONFIG = Config(video=VideoConfig(num_frames=12), crops=CropConfig(image_size=48))
CODEC = CodecConfig(filmed=1, seed=2)


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    """A real picture to train on and one to validate on, and one without a face."""
    root = tmp_path_factory.mktemp("root")
    for name in ("train.png", "validation.png"):
        Image.fromarray(portrait_frames(1)[0]).save(root / name)
    Image.fromarray(moving_pattern(1, 90, 90)[0]).save(root / "pattern.png")
    (root / "metadata.csv").write_text(
        "file,label,split\ntrain.png,real,train\npattern.png,real,train\n"
        "validation.png,real,validation\n"
    )
    out = tmp_path_factory.mktemp("prepared") / "stills"
    prepare(read_source("folder", root), out, CONFIG, codec=CODEC)
    return out


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> Path:
    """A face crop and its fake, which looks the same."""
    root = tmp_path_factory.mktemp("faces")
    (root / "faces_224").mkdir()
    for name in ("a", "b"):
        crop = Image.fromarray(portrait_frames(1)[0][20:260, 100:340])
        crop.save(root / "faces_224" / f"{name}.jpg", quality=95)
    (root / "metadata.csv").write_text(
        "videoname,original_width,original_height,label,original\n"
        "a.mp4,240,240,REAL,\nb.mp4,240,240,FAKE,a.mp4\n"
    )
    (root / "val_sources.txt").touch()
    out = tmp_path_factory.mktemp("prepared") / "crops"
    prepare(read_source("dfdc-faces", root), out, CONFIG, codec=CODEC)
    return out


def _versions(folder: Path, split: str) -> dict[str, int]:
    return {clip.video: len(clip.frames) for clip in read_clips(str(folder), split)}


def test_a_picture_to_train_on_is_filmed_and_no_other(stills):
    (crf,) = CODEC.crfs("train.png", 1)
    assert _versions(stills, "train") == {
        "folder/real/original/train.png": 1,
        f"folder/real/original-film-crf{crf}/train.png": NUM_FRAMES,
    }
    assert _versions(stills, "validation") == {"folder/real/original/validation.png": 1}


def test_a_face_crop_and_its_fake_are_filmed_alike(crops):
    films = [clip for clip in read_clips(str(crops), "train") if clip.num_frames > 1]
    assert [clip.method for clip in films] == ["real", "fake"]
    assert films[0].compression == films[1].compression
    np.testing.assert_array_equal(films[0].frames, films[1].frames)


def test_landmarks_go_along_with_the_camera(crops):
    picture, film = list(read_clips(str(crops), "train"))[:2]
    assert film.frames.shape == (NUM_FRAMES, 48, 48, 3)
    assert np.ptp(film.landmarks, axis=0).max() > 0.5  # the camera moved
    left_eye = picture.landmarks[0, 0]
    for frame, landmarks in zip(film.frames, film.landmarks, strict=True):
        here = _around(frame, landmarks[0])
        there = _around(picture.frames[0], left_eye)
        elsewhere = _around(picture.frames[0], left_eye + [0, 12])
        assert np.abs(here - there).mean() < np.abs(here - elsewhere).mean()


def _around(frame: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y = np.round(place).astype(int)
    return frame[y - 3 : y + 3, x - 4 : x + 4].astype(float)


def test_the_card_of_the_data_set_tells_of_the_films(stills):
    card = (stills / "README.md").read_text(encoding="utf-8")
    assert f"{NUM_FRAMES}-frame film" in card
    assert "re-encoded" not in card
