#!/usr/bin/env bash
# One would guess: with "-skip_frame nokey" ffmpeg gives each keyframe of an AVI the time at which a
# player shows it, as it does of the same pictures in an MP4 or with all frames decoded.
# What happens: an AVI stores when packets are decoded, not when they are shown. Where frames are
# reordered (MPEG-4 of Xvid or DivX, and H.264, with B-frames), the decoder holds a keyframe back until more
# come, and, since what lies between is skipped, it then has the time of a later keyframe or of the last
# packet: whole seconds late. Exit status 0, no message. With the bitstream filter "setts=pts=DTS" before
# the decoder, each is at most as many frames off as are reordered.
# Version: imageio-ffmpeg 0.8.1 with its own ffmpeg. Source: what ffmpeg itself prints below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import subprocess
import sys

import imageio_ffmpeg

print("imageio-ffmpeg", imageio_ffmpeg.__version__, "with ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
SIZE, SECONDS = ("-s", "64x64"), 2  # between keyframes


def frames(path: str, *before: str) -> list[tuple[float, str]]:
    """Returns when each frame is shown, seconds, and a digest of its picture."""
    command = [*FFMPEG, *before, "-i", path, "-fps_mode", "passthrough", "-enc_time_base", "1:25"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(int(row[2]) / 25, row[5].strip()) for row in rows]


late = {}
for name, options in (
    ("mpeg4.avi", ["-c:v", "mpeg4", "-bf", "2"]),
    ("h264.avi", ["-c:v", "libx264", "-bf", "2", "-x264-params", "scenecut=0"]),
    ("h264.mp4", ["-c:v", "libx264", "-bf", "2", "-x264-params", "scenecut=0"]),
):
    path = f"{sys.argv[1]}/{name}"
    source = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=20"]
    encode = [*FFMPEG, *source, "-g", str(25 * SECONDS), "-pix_fmt", "yuv420p", *options, path]
    subprocess.run(encode, check=True)
    shown = {digest: time for time, digest in frames(path)}
    for way, more in (("", []), (" with setts", ["-bsf:v", "setts=pts=DTS"])):
        alone = frames(path, "-skip_frame", "nokey", *more)
        late[name + way] = [round(time - shown[digest], 2) for time, digest in alone]
for name, seconds in late.items():
    print(f"{name}: keyframes come too late by {seconds} s")
assert max(map(abs, late["h264.mp4"])) == 0, "of an MP4 they are right"
for name in ("mpeg4.avi", "h264.avi"):
    assert len(late[name]) >= 5 and sum(t >= 1 for t in late[name]) >= 5, "it behaves otherwise now"
    assert max(map(abs, late[f"{name} with setts"])) <= 0.2, "it behaves otherwise now"
PYTHON
