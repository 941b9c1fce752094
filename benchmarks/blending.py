"""What self-blending and augmentation cost compared with the encoder that they feed.

    python -m benchmarks.blending
    python -m benchmarks.blending --clips 16 --frames 8

A training step blends each real clip, then augments real clips and fakes, then runs a ResNet-50
forward and backward on all of them. Each part is compiled alone and timed; the share is that of the
encoder's time.

Measured in float32 on a 2-core AMD EPYC with 2 real clips of 8 frames, while other programs ran:
self_blend takes 1.1 to 1.5% of the encoder's time, augment 3.2 to 3.9%, partial_frames nothing that
shows. Not measured on an accelerator.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import skimage.data
from flax import nnx
from PIL import Image

from benchmarks.faces import machine
from dfjax.augment.camera import augment
from dfjax.augment.segments import partial_frames
from dfjax.augment.self_blend import self_blend
from dfjax.config import CropConfig
from dfjax.encoder_config import ResNetConfig
from dfjax.models.encoders.resnet import ResNet

LANDMARKS = np.array([[85, 92], [144, 92], [114, 127], [89, 157], [139, 157]], np.float32)
"""About where a face of the usual crop has them."""


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of self-blending and augmentation.")
    parser.add_argument("--clips", type=int, default=2, help="real clips; as many fakes are made")
    parser.add_argument("--frames", type=int, default=8, help="frames of a clip")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "bfloat16"),
        help="of the encoder's convolutions",
    )
    arguments = parser.parse_args()

    print(machine())
    crops = CropConfig()
    portrait = Image.fromarray(skimage.data.astronaut()).crop((130, 10, 320, 200))
    frame = np.asarray(portrait.resize((crops.image_size, crops.image_size)), np.float32)
    count, frames = arguments.clips, arguments.frames
    clips = jnp.asarray(np.broadcast_to(frame, (count, frames, *frame.shape)))
    landmarks = jnp.asarray(np.broadcast_to(LANDMARKS, (count, frames, 5, 2)))
    frame_mask = jnp.ones((count, frames), bool)
    keys = jax.random.split(jax.random.key(0), count)
    both_keys, both_clips = (jnp.concatenate([x, x]) for x in (keys, clips))

    seconds = {
        "self_blend": measure(self_blend, keys, clips, landmarks, frame_mask),
        "partial_frames": measure(partial_frames, keys, frame_mask),
        "augment": measure(augment, both_keys, both_clips),
    }
    encoder = measure(*encoder_step(both_clips, arguments.dtype))
    print(f"{count} real clips and as many fakes, of {frames} frames of {crops.image_size} pixels")
    print(f"{'ResNet-50, forward and backward':32} {encoder * 1e3:9.1f} ms")
    for name, value in seconds.items():
        print(f"{name:32} {value * 1e3:9.1f} ms {value / encoder:7.1%}")
    print(f"load average {os.getloadavg()[0]:.1f}")


def encoder_step(
    clips: jax.Array, dtype: Literal["float32", "bfloat16"]
) -> tuple[Callable, Any, jax.Array]:
    """Returns the encoder's gradient as a function, its parameters and its input."""
    encoder = ResNet(
        ResNetConfig(compute_dtype=dtype),
        rngs=nnx.Rngs(0),
    )
    graph, params, statistics = nnx.split(encoder, nnx.Param, ...)
    images = clips.reshape(-1, *clips.shape[2:]) / 127.5 - 1

    def loss_fn(params: Any, images: jax.Array) -> jax.Array:
        return jnp.mean(nnx.merge(graph, params, statistics, copy=True)(images))

    return jax.grad(loss_fn), params, images


def measure(function: Callable, *arguments: Any, repeats: int = 5) -> float:
    """Returns the least of some wall times of a compiled function, seconds."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
