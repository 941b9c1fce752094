#!/usr/bin/env bash
# One would guess: to get packed RGB out of ffmpeg, asking its scaler for rgb24 is the shortest way;
# a detour over planes of RGB (gbrp) can only cost time, or change pixels.
# What happens: with the exact flags (accurate_rnd, full_chroma_int, bitexact), the way over gbrp gives
# the same bytes in less than half of the processor time: the scaler has vector code that writes
# planes, but writes packed RGB one pixel at a time.
# Version: ffmpeg 9.0.2 as in imageio-ffmpeg 0.8.1, on x86-64. Source: libswscale, x86/output.asm has
# yuv2gbrp, while yuv2rgb_full in output.c is C. Differs where there is no such vector code.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import resource
import subprocess

import imageio_ffmpeg

print("ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
flags = "bicubic+accurate_rnd+full_chroma_int+bitexact"


def seconds(formats):
    """Returns the hash of 60 frames, and the processor time that they took."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1"]
    command += ["-f", "lavfi", "-i", "color=c=0x336699:s=1920x1080:r=30:d=2,format=yuv420p"]
    command += ["-vf", f"noise=alls=20:allf=t:all_seed=1,scale=flags={flags},{formats}"]
    command += ["-filter_threads", "1", "-f", "rawvideo", "pipe:1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    frames = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return hashlib.sha256(frames).hexdigest()[:16], spent


rest = seconds("format=yuv420p")[1]  # everything but the conversion
(direct, direct_seconds), (planes, planes_seconds) = (
    seconds("format=rgb24"),
    seconds("format=gbrp,format=rgb24"),
)
print(f"format=rgb24              {direct}  {direct_seconds - rest:.2f} s of conversion")
print(f"format=gbrp,format=rgb24  {planes}  {planes_seconds - rest:.2f} s of conversion")
assert direct == planes, "the pixels differ"
assert planes_seconds - rest < 0.7 * (direct_seconds - rest), "the detour is no longer faster"
PYTHON
