#!/usr/bin/env bash
# One would guess: imageio_ffmpeg.write_frames raises when ffmpeg could not write the video, since it
# starts ffmpeg, feeds it and waits for it to end.
# What happens: it never looks at ffmpeg's exit status. Where ffmpeg takes all frames and fails when it
# finishes the file (here: a full disk, which /dev/full stands for), closing the writer returns as
# if all were well. Whoever must know has to check the file, or run ffmpeg without this function.
# Version: imageio-ffmpeg 0.8.1 with its own ffmpeg. Source: imageio_ffmpeg/_io.py, write_frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess

import imageio_ffmpeg

print("imageio-ffmpeg", imageio_ffmpeg.__version__, "with ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
size, frames = (64, 48), [bytes(64 * 48 * 3)] * 3
options = ["-f", "matroska"]

writer = imageio_ffmpeg.write_frames(
    "/dev/full", size, output_params=options, ffmpeg_log_level="quiet"
)
writer.send(None)
for frame in frames:
    writer.send(frame)
writer.close()
print("write_frames to a full disk: no error")

command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-y", "-f", "rawvideo"]
command += ["-pix_fmt", "rgb24", "-s", "64x48", "-i", "pipe:0", *options, "/dev/full"]
status = subprocess.run(command, input=b"".join(frames)).returncode
print("ffmpeg itself, with the same frames: exit status", status)
assert status != 0, "ffmpeg no longer fails here, so this shows nothing"
PYTHON
