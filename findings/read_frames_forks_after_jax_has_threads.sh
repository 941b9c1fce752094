#!/usr/bin/env bash
# One would guess: a subprocess does not fork Python (subprocess has used vfork for years), so ffmpeg can
# be started at any time beside JAX, whose threads do not survive a fork.
# What happens: imageio_ffmpeg.read_frames and write_frames pass preexec_fn=os.setpgrp, which makes
# subprocess fork the whole process and run Python in the child. JAX warns that it may deadlock. A
# plain subprocess.run of the same binary, or IMAGEIO_FFMPEG_NO_PREVENT_SIGINT=1, starts without.
# Version: imageio-ffmpeg 0.8.1, jax 0.10.2, Linux. Source: imageio_ffmpeg/_utils.py, _popen_kwargs;
# jax/_src/xla_bridge.py, os.register_at_fork.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  imageio-ffmpeg==0.8.1 jax==0.10.2 jaxlib==0.10.2
cat >"$folder/count.py" <<'PYTHON'
import subprocess
import warnings

import imageio_ffmpeg
import jax

jax.devices()  # starts its threads
ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()


def forks(start):
    """Returns how often JAX warned of a fork."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start()
    return sum("fork" in str(warning.message) for warning in caught)


def write():
    writer = imageio_ffmpeg.write_frames("clip.mp4", (64, 64), fps=25)
    writer.send(None)
    for _ in range(3):
        writer.send(bytes(3 * 64 * 64))
    writer.close()


def plain():
    subprocess.run([ffmpeg, "-v", "error", "-i", "clip.mp4", "-f", "null", "-"], check=True)


counts = forks(write), forks(lambda: list(imageio_ffmpeg.read_frames("clip.mp4"))), forks(plain)
print("warnings of a fork: write_frames %d, read_frames %d, subprocess.run %d" % counts)
PYTHON
cd "$folder"
as_it_is=$(JAX_PLATFORMS=cpu venv/bin/python count.py)
without=$(JAX_PLATFORMS=cpu IMAGEIO_FFMPEG_NO_PREVENT_SIGINT=1 venv/bin/python count.py)
printf 'as it is:  %s\nwith IMAGEIO_FFMPEG_NO_PREVENT_SIGINT=1:  %s\n' "$as_it_is" "$without"
test "$as_it_is" = "warnings of a fork: write_frames 1, read_frames 1, subprocess.run 0"
test "$without" = "warnings of a fork: write_frames 0, read_frames 0, subprocess.run 0"
