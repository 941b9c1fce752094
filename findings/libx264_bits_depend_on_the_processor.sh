#!/bin/sh
# libx264 in one thread gives other bits on another processor, unless it is told not to.
#
# One would guess: with a constant rate factor and one thread, the same frames give the same file on
# every machine.
# What happens: libx264 chooses some algorithms by the instruction set that it finds, and they are
# not bit for bit the same. With AVX2 the file is another one than with SSE2 (`asm=sse2`, as on an
# older processor); with `cpu-independent=1` it is the same.
# Version: imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2). Needs a processor with AVX2. Source: x264's `x264 --fullhelp`,
# "--cpu-independent: Ensure exact reproducibility across different cpus, as opposed to letting them
# select different algorithms".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "imageio-ffmpeg==0.8.1"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import hashlib
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg

print("ffmpeg", imageio_ffmpeg.get_ffmpeg_version(), "imageio-ffmpeg", imageio_ffmpeg.__version__)


def digest(parameters):
    out = Path(sys.argv[1]) / "out.264"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi"]
    command += ["-i", "testsrc2=size=320x240:rate=25:duration=3,noise=alls=20:all_seed=1:allf=t"]
    command += ["-c:v", "libx264", "-crf", "23", "-preset", "medium", "-threads", "1"]
    # The picture alone: the parameters are written into the file as text.
    command += ["-x264-params", parameters, "-bsf:v", "filter_units=remove_types=6"]
    subprocess.run([*command, "-f", "h264", str(out)], check=True)
    return hashlib.sha256(out.read_bytes()).hexdigest()[:12]


new, old = digest("asm=avx2"), digest("asm=sse2")
print("as usual, with AVX2 and with SSE2:         ", new, old)
same_new, same_old = digest("cpu-independent=1:asm=avx2"), digest("cpu-independent=1:asm=sse2")
print("cpu-independent=1, with AVX2 and with SSE2:", same_new, same_old)
assert new != old
assert same_new == same_old
PYTHON
