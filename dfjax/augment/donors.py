"""Another person's face for each clip of a batch, laid over its own, inside the jitted train step.

A face swap puts somebody else's face into a picture: its features, its light and its detail do not
go with the head around them. Blended with such a donor, a real clip becomes a fake of that kind.
The donor is the other clip of the batch whose landmarks fit best. Should it show the same person,
the blend is still a fake.

Source: Li et al., "Face X-Ray for More General Face Forgery Detection", CVPR 2020, whose pairs of
pictures are looked for in the whole data set. Written from the paper.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dfjax.augment.picture_area import picture_area
from dfjax.augment.resample import gather_bilinear, pixel_middles

Array = Any  # from jax or numpy

_FACE = 0.3  # radius around the middle of a crop in which colours are compared, share of its side
_MOST_GAIN = 1.6  # largest factor by which a donor's contrast is changed, and its inverse
_RIDGE = 1e-3  # keeps the fit of landmarks that lie on one line finite


class Donors(NamedTuple):
    """Other people's faces, where the clips' own faces are."""

    clips: jax.Array  # float32 [B, T, S, S, 3], 0 to 255
    inside: jax.Array  # float32 [B, T, S, S, 1], how much of a pixel lies in the donor's picture
    is_usable: jax.Array  # bool [B], whether there is another clip with the face in all frames


def donors(clips: Array, landmarks: Array, frame_mask: Array) -> Donors:
    """Returns a donor for each clip, in the colours of the clip.

    Args:
      clips: float32 [B, T, S, S, 3] RGB, 0 to 255.
      landmarks: float32 [B, T, 5, 2], xy in pixels of the crop.
      frame_mask: bool [B, T], True where the face is present.
    """
    size = clips.shape[2]
    weights = frame_mask / jnp.maximum(jnp.sum(frame_mask, axis=1, keepdims=True), 1)
    faces = jnp.einsum("bt,btkx->bkx", weights, landmarks, precision="highest") / size
    everyone = jax.vmap(jax.vmap(_fit, in_axes=(None, 0)), in_axes=(0, None))
    _, misfit = everyone(faces, faces)
    present = jnp.asarray(frame_mask)
    has_all = jnp.all(present[None] | ~present[:, None], axis=2)
    possible = has_all & ~jnp.eye(len(clips), dtype=bool)
    chosen = jnp.argmin(jnp.where(possible, misfit, jnp.inf), axis=1)
    taken = jnp.concatenate([clips, 255 * jax.vmap(picture_area)(clips)], axis=-1)[chosen]
    placed = jax.vmap(_place)(taken, landmarks[chosen], landmarks)
    coloured = jax.vmap(_recolour)(placed[..., :3], clips, frame_mask)
    return Donors(coloured, placed[..., 3:] / 255, jnp.any(possible, axis=1))


def _fit(points: jax.Array, onto: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Fits an affine map of points [K, 2] onto others.

    Returns:
      By how much the map moves a point, [3, 2], to be multiplied by (x, y, 1); and the mean square
      of what is left between the points.
    """
    known = _with_one(points)
    squares = jnp.matmul(known.T, known, precision="highest") + _RIDGE * jnp.eye(3)
    # Of the movement, so that points without a face, all of them zero, stay where they are.
    products = jnp.matmul(known.T, onto - points, precision="highest")
    movement = jnp.linalg.solve(squares, products)
    left = points + jnp.matmul(known, movement, precision="highest") - onto
    return movement, jnp.mean(jnp.square(left))


def _with_one(points: jax.Array) -> jax.Array:
    return jnp.concatenate([points, jnp.ones_like(points[..., :1])], axis=-1)


def _place(clip: jax.Array, landmarks: jax.Array, to_landmarks: jax.Array) -> jax.Array:
    """Returns a clip with its landmarks moved to others, [T, S, S, C]."""
    size = clip.shape[1]
    movement, _ = jax.vmap(_fit)(to_landmarks / size, landmarks / size)
    places = pixel_middles(size) / size
    moved = jnp.einsum("yxi,tij->tyxj", _with_one(places), movement, precision="highest")
    return gather_bilinear(clip, size * (places[None] + moved))


def _recolour(donor: jax.Array, clip: jax.Array, frame_mask: jax.Array) -> jax.Array:
    """Returns a donor with the mean and the contrast of each channel of the clip's face."""
    size = clip.shape[1]
    away = jnp.linalg.norm(pixel_middles(size) / size - 0.5, axis=-1)
    weights = (away < _FACE)[None, :, :, None] * frame_mask[:, None, None, None]
    weights = weights / jnp.maximum(jnp.sum(weights), 1.0)

    def mean(values: jax.Array) -> jax.Array:
        return jnp.sum(weights * values, axis=(0, 1, 2), keepdims=True)

    (of_donor, donor_spread), (of_clip, clip_spread) = (
        (mean(x), jnp.sqrt(mean(jnp.square(x - mean(x))))) for x in (donor, clip)
    )
    gain = jnp.clip(clip_spread / jnp.maximum(donor_spread, 1.0), 1 / _MOST_GAIN, _MOST_GAIN)
    return jnp.clip(of_clip + gain * (donor - of_donor), 0, 255)
