"""Face clips for the tests of what happens to clips on the devices."""

import numpy as np
import skimage.data
from PIL import Image

from tests.videos import ASTRONAUT_FACE_XYXY

LANDMARKS = np.array([[85, 92], [144, 92], [114, 127], [89, 157], [139, 157]], np.float32) / 224
"""About where landmarks lie in a crop of side 1."""


def face_frame(size: int) -> np.ndarray:
    """Returns the astronaut's face as the app crops it, float32 [size, size, 3]."""
    left, top, right, bottom = ASTRONAUT_FACE_XYXY
    half = 1.3 * (bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    picture = Image.fromarray(skimage.data.astronaut())
    box = (x - half, y - half, x + half, y + half)
    return np.asarray(picture.resize((size, size), box=box), np.float32)


def face_clips(num_clips: int, num_frames: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns clips that stand still, [B, T, S, S, 3], and their landmarks, [B, T, 5, 2]."""
    clips = np.tile(face_frame(size), (num_clips, num_frames, 1, 1, 1))
    return clips, np.tile(size * LANDMARKS, (num_clips, num_frames, 1, 1))
