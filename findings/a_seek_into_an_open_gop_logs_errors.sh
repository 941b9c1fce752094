#!/usr/bin/env bash
# One would guess: a line of level "error" from ffmpeg's H.264 decoder means that the file is damaged, so an intact file
# that is decoded from one of its keyframes logs none.
# What happens: in a file with open GOPs (x264's open-gop, many cameras), frames that follow a keyframe in the file and are
# shown before it refer to what precedes it. After a seek to that keyframe the decoder logs an error about a picture that it
# does not have ("mmco: unref short failure"); the frames that were asked for are those of decoding the whole file, bit for bit.
# Version: imageio-ffmpeg 0.8.1 with ffmpeg n9.0.2. Source: what is listed below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())")
cd "$folder"
"$ffmpeg" -v error -f lavfi -i testsrc2=s=320x240:r=25:d=8 -pix_fmt yuv420p -c:v libx264 -threads 1 \
  -x264-params open-gop=1:keyint=50:min-keyint=50:scenecut=0:bframes=3 open.mp4

hashes() { # of ten frames from 5 seconds on
  "$ffmpeg" -v error "$@" -frames:v 10 -f framehash -hash md5 - 2>>errors.txt | grep -v '^#' | awk -F, '{print $6}'
}

: >errors.txt
whole=$(hashes -i open.mp4 -vf "select=gte(t\,5)" -fps_mode passthrough)
[[ ! -s errors.txt ]]
sought=$(hashes -ss 5 -i open.mp4 -fps_mode passthrough)
"$ffmpeg" -version | head -1
echo "lines of level error after the seek: $(grep -c . errors.txt)"
sed 's/ @ 0x[0-9a-f]*//' errors.txt | sort | uniq -c | head -5
[[ $(wc -l <<<"$whole") == 10 && $whole == "$sought" ]]
[[ -s errors.txt ]]
