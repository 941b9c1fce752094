#!/bin/sh
# Pillow's `transform` with BICUBIC is not the bicubic of its `resize`.
#
# One would guess: shifting a picture by half a pixel gives the same pixels from
# `Image.resize(size, BICUBIC, box=...)` and from `Image.transform(size, AFFINE, ..., BICUBIC)`, and a
# grey picture keeps its level wherever it is moved.
# What happens: `resize` uses the cubic kernel with a = -0.5 and rounds; `transform` uses a = -1.0
# and cuts the fraction off. Of a wave of 4 pixels, seen half a pixel on, `resize` keeps 88% of the
# height and `transform` 106%, and `transform` is about half a level darker on average.
# Version: Pillow 12.3.0. Source: Resample.c (`bicubic_filter`, a = -0.5) and Geometry.c (`BICUBIC`,
# written out for a = -1.0, and an assignment of the sum to an 8-bit number).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pillow==12.3.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
x = np.arange(64)
# Peaks between pixels: half a pixel on, they are met exactly.
wave = np.round(128 + 60 * np.cos(np.pi / 2 * (x - 0.5))).astype(np.uint8)
picture = Image.fromarray(np.tile(wave, (64, 1)))
resized = picture.resize((32, 32), Image.Resampling.BICUBIC, box=(10.5, 10, 42.5, 42))
moved = picture.transform(
    (32, 32), Image.Transform.AFFINE, (1, 0, 10.5, 0, 1, 10), Image.Resampling.BICUBIC
)


def height(seen):
    row = np.asarray(seen, float)[16, 4:28]
    return (row.max() - row.min()) / 120


rng = np.random.default_rng(0)
soft = Image.fromarray(rng.integers(80, 176, (16, 16), np.uint8)).resize((128, 128))
turned = soft.transform(
    (96, 96), Image.Transform.AFFINE, (0.99, -0.1, 20, 0.1, 0.99, 10), Image.Resampling.BICUBIC
)
exact = soft.convert("F").transform(
    (96, 96), Image.Transform.AFFINE, (0.99, -0.1, 20, 0.1, 0.99, 10), Image.Resampling.BICUBIC
)
darker = float(np.mean(np.asarray(exact) - np.asarray(turned, float)))
print(f"height of the wave: resize {height(resized):.0%}, transform {height(moved):.0%}")
print(f"transform of bytes is darker than the same of floats by {darker:.2f} levels")
assert abs(height(resized) - 0.88) < 0.02
assert abs(height(moved) - 1.06) < 0.02
assert 0.3 < darker < 0.7
PYTHON
