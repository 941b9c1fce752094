"""Pictures inside a page or a report, above all face crops."""

import base64
import io

import numpy as np
from PIL import Image


def shown_frames(probabilities: np.ndarray, num_shown: int) -> list[int]:
    """Returns which frames of a face to show: evenly spread, and the highest among them.

    Args:
      probabilities: float [N], probability_fake of each frame.
      num_shown: How many to choose at most, at least 1.
    """
    count = len(probabilities)
    if count <= num_shown:
        return list(range(count))
    chosen = np.linspace(0, count - 1, num_shown).round().astype(int)
    highest = int(np.argmax(probabilities))
    chosen[np.argmin(np.abs(chosen - highest))] = highest
    return chosen.tolist()


def crop_uri(picture: np.ndarray, side: int, *, quality: int = 82) -> str:
    """Returns a square picture as a JPEG in a `data:` address.

    Args:
      picture: uint8 [S,S,3] RGB.
      side: Its side in the end, pixels.
      quality: Of the JPEG, up to 95.
    """
    resized = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
    return jpeg_uri(resized, quality=quality)


def jpeg_uri(picture: Image.Image, *, quality: int) -> str:
    """Returns a picture as a JPEG in a `data:` address, so that it needs no file of its own.

    Args:
      picture: RGB, of any size.
      quality: Up to 95.
    """
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
