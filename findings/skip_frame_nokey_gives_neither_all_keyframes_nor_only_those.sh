#!/usr/bin/env bash
# One would guess: with "-skip_frame nokey" ffmpeg decodes exactly the frames that the container marks as
# keyframes, whatever the codec; so it is the usual way to get a few pictures of a long video cheaply.
# What happens: of VP9 every frame comes, as if the option were not there. Of H.264 with open groups of
# pictures (x264's open-gop) hardly any keyframe comes besides the first where there is one every 50
# frames, with exit status 0 and no message; where there is one every 12 frames, all come, and so
# they do of closed groups. Whoever needs all of them has to seek to each.
# Version: imageio-ffmpeg 0.8.1 with its own ffmpeg. Source: what ffmpeg itself prints below, of packets
# (copied) and of frames (decoded).
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


def rows(*arguments: str) -> list[str]:
    done = subprocess.run([*FFMPEG, *arguments], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]


found = {}
for name, codec, options in (
    ("closed.mp4", "libx264", ["-g", "50", "-keyint_min", "25"]),
    ("open_50.mp4", "libx264", ["-g", "50", "-keyint_min", "25", "-x264-params", "open-gop=1"]),
    ("open_12.mp4", "libx264", ["-g", "12", "-keyint_min", "12", "-x264-params", "open-gop=1"]),
    ("vp9.webm", "libvpx-vp9", ["-g", "50", "-keyint_min", "50", "-cpu-used", "8"]),
):
    path = f"{sys.argv[1]}/{name}"
    source = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=60"]
    rows(*source, "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:v", codec, *options, path)
    packets = rows("-i", path, "-c", "copy", "-f", "framecrc", "-")
    # Packets that are no keyframes have a field for their flags.
    keyframes = sum("F=0x0" not in row for row in packets)
    decoded = len(rows("-skip_frame", "nokey", "-i", path, "-fps_mode", "passthrough",
                       "-f", "framecrc", "-"))
    found[name] = keyframes, decoded
    print(f"{name}: {len(packets)} frames, {keyframes} marked as keyframes, {decoded} come")

assert found["closed.mp4"] == (30, 30)
assert found["open_12.mp4"] == (125, 125)
assert found["vp9.webm"] == (30, 1500), "skip_frame has an effect on VP9 now"
assert found["open_50.mp4"][0] == 30 and found["open_50.mp4"][1] < 10, "keyframes of open groups come now"
PYTHON
