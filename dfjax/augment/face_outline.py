"""The outline of a face, or of a part of it, from five landmarks.

The face is taken for a piece of an upright cylinder. An outline is a polygon on it: an angle around
the axis and a height for each corner. How far the nose stands from the line between the middles of
eyes and mouth shows how far the cylinder is turned, so in a profile the outline gets narrow on the
side that is turned away, and ends at the silhouette.

Lengths are in units of the distance from the middle of the eyes to the middle of the mouth, which
stays what it is when the head turns; the distance between the eyes would vanish in a profile.
Height is 0 at the eyes and 1 at the mouth.
"""

import jax
import jax.numpy as jnp
import numpy as np

from dfjax.augment.resample import sampling_matrix

_RADIUS = 1.06  # of the cylinder: half the width of a head
_EYE_DEPTH = 0.9  # from the axis to the plane of eyes and mouth
_NOSE_LENGTH = 0.45  # from that plane to the tip of the nose

# The right halves, from the top down: (degrees around the axis, height). Read off faces by eye.
_SHAPES = {
    "whole_face": "8,-1.0 28,-.9 46,-.65 60,-.28 66,.15 62,.65 50,1.1 32,1.42 11,1.58",
    "below_forehead": "6,-.40 22,-.47 42,-.44 58,-.2 64,.15 61,.65 50,1.1 32,1.42 11,1.58",
    "inner_face": "5,-.36 20,-.42 36,-.36 46,-.1 44,.3 38,.7 31,1.05 21,1.27 7,1.36",
    "lower_face": "4,.2 20,.27 38,.34 54,.38 60,.55 58,.82 48,1.14 31,1.42 11,1.58",
    "nose_and_mouth": "3,.05 8,.1 14,.3 21,.55 29,.82 32,1.04 27,1.24 17,1.36 5,1.4",
    "mouth": "4,.6 11,.62 19,.7 26,.84 30,1.0 28,1.16 21,1.29 12,1.37 4,1.4",
}
_SHARES = {
    "whole_face": 0.2,
    "below_forehead": 0.3,
    "inner_face": 0.15,
    "lower_face": 0.15,
    "nose_and_mouth": 0.1,
    "mouth": 0.1,
}

# A drawn outline differs from its table by at most this.
_STRETCH = 0.08  # of width and of height, as a share
_BULGE = 0.05  # of each corner, to and from the middle, as a share

_GRID_STEP = 4  # pixels between the places at which a distance is computed


def _outlines() -> np.ndarray:
    """Returns the tables as closed polygons: float32 [shapes, K, 2], radians and height."""
    outlines = []
    for text in _SHAPES.values():
        right = np.array([pair.split(",") for pair in text.split()], np.float32)
        left = right[::-1] * np.array([-1, 1], np.float32)
        outlines.append(np.concatenate([right, left]))
    return np.stack(outlines) * np.array([np.pi / 180, 1], np.float32)


def draw_outline(key: jax.Array) -> jax.Array:
    """Draws which part of the face an outline holds, and its exact form.

    Every outline holds the middle between the tip of the nose and the mouth.

    Returns:
      float32 [K, 2]: angle around the head's axis, radians, positive to the right of the picture,
      and height, of each corner.
    """
    outlines = jnp.asarray(_outlines())
    shape, *numbers = jax.random.uniform(key, (1 + 2 + outlines.shape[1],))
    limits = jnp.cumsum(jnp.array([_SHARES[name] for name in _SHAPES]))
    outline = outlines[jnp.searchsorted(limits[:-1], shape)]
    numbers = 2 * jnp.stack(numbers) - 1
    stretch = 1 + _STRETCH * numbers[None, :2]
    bulge = 1 + _BULGE * numbers[2:, None]
    middle = jnp.mean(outline, axis=0, keepdims=True)
    return middle + (outline - middle) * stretch * bulge


def whole_face() -> jax.Array:
    """Returns the outline of the whole face, undistorted: float32 [K, 2], as `draw_outline`."""
    return jnp.asarray(_outlines()[list(_SHAPES).index("whole_face")])


def place_outline(outline: jax.Array, landmarks: jax.Array) -> jax.Array:
    """Returns where the corners of an outline lie in pictures of a face.

    Args:
      outline: float32 [K, 2], from `draw_outline`.
      landmarks: float32 [T, 5, 2], xy: eyes, nose, mouth corners.

    Returns:
      float32 [T, K, 2], xy in the unit of `landmarks`.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = jnp.moveaxis(landmarks, 1, 0)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    down = mouth - eyes  # [T, 2]; its length is the unit
    across = jnp.stack([down[:, 1], -down[:, 0]], axis=-1)
    squared_unit = jnp.maximum(jnp.sum(down * down, axis=-1), 1.0)  # absent faces have no length
    nose_offset = jnp.sum((nose - (eyes + mouth) / 2) * across, axis=-1) / squared_unit
    sin_yaw = jnp.clip(nose_offset / _NOSE_LENGTH, -1.0, 1.0)[:, None]
    angles = jnp.arcsin(sin_yaw) + outline[None, :, 0]
    # What is turned away beyond the silhouette lies on it.
    x = _RADIUS * jnp.sin(jnp.clip(angles, -jnp.pi / 2, jnp.pi / 2)) - _EYE_DEPTH * sin_yaw
    y = outline[None, :, 1]
    return eyes[:, None] + x[..., None] * across[:, None] + y[..., None] * down[:, None]


def inside_distance(polygons: jax.Array, size: int) -> jax.Array:
    """Returns how deep each pixel lies inside of a polygon, negative outside.

    Computed on a grid of every fourth pixel and interpolated, for a distance is smooth.

    Args:
      polygons: float32 [T, K, 2], xy of the corners in pixels.
      size: Side of the square picture, pixels.

    Returns:
      float32 [T, size, size], pixels.
    """
    num_places = size // _GRID_STEP + 4  # from before the picture to behind it
    places = (jnp.arange(num_places) - 1) * float(_GRID_STEP)
    points = jnp.stack(jnp.meshgrid(places, places), axis=-1)[None, :, :, None]  # [1, M, M, 1, 2]
    starts = polygons[:, None, None]  # [T, 1, 1, K, 2]
    edges = jnp.roll(polygons, -1, axis=1)[:, None, None] - starts
    away = points - starts
    along = jnp.sum(away * edges, -1) / jnp.maximum(jnp.sum(edges * edges, -1), 1e-6)
    gaps = away - edges * jnp.clip(along, 0.0, 1.0)[..., None]
    distances = jnp.sqrt(jnp.min(jnp.sum(gaps * gaps, axis=-1), axis=-1))
    # Inside, a ray to the right crosses an odd number of edges.
    above, ends_above = away[..., 1] < 0, away[..., 1] < edges[..., 1]
    cross = edges[..., 0] * away[..., 1] - edges[..., 1] * away[..., 0]
    crossed = (above != ends_above) & ((cross < 0) == (edges[..., 1] < 0))
    inside = jnp.sum(crossed, axis=-1) % 2 == 1
    signed = jnp.where(inside, distances, -distances)
    middles = (jnp.arange(size) + 0.5) / _GRID_STEP + 1.5
    upsample = sampling_matrix(middles, num_places)
    return jnp.einsum("im,tmn,jn->tij", upsample, signed, upsample, precision="high")
