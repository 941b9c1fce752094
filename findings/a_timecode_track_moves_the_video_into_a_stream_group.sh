#!/usr/bin/env bash
# One would guess: ffmpeg lists each stream of a file as "  Stream #0:n", two spaces in, whatever else is in the file.
# What happens: where an MP4 or MOV has a timecode track, as editing programs and larger cameras write it, the video is
# listed under "  Stream group #0:0: Track Reference:", four spaces in, and no longer at the usual depth. Who reads the
# list by its indentation finds no video.
# Version: imageio-ffmpeg 0.8.1 with ffmpeg n9.0.2. Source: what is listed below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())")
cd "$folder"
source=(-v error -f lavfi -i testsrc2=s=64x64:r=25:d=1 -pix_fmt yuv420p -c:v libx264)
"$ffmpeg" "${source[@]}" usual.mp4
"$ffmpeg" "${source[@]}" -timecode 01:00:00:00 timecode.mp4
"$ffmpeg" -version | head -1
for name in usual timecode; do
  "$ffmpeg" -hide_banner -i "$name.mp4" >"$name.txt" 2>&1 || true # without an output it ends with an error
  echo "$name.mp4:"
  grep "Stream" "$name.txt" | cut -c1-60
done
grep -q '^  Stream #0:0.*Video' usual.txt
grep -q '^  Stream group #0:0.*Track Reference' timecode.txt
grep -q '^    Stream #0:0.*Video' timecode.txt
if grep -q '^  Stream #0:0.*Video' timecode.txt; then exit 1; fi
