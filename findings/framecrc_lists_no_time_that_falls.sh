#!/usr/bin/env bash
# One would guess: `ffmpeg -copyts -i FILE -c copy -f framecrc -` lists the packets of a file with the times that they
# have in it, also where the clock begins anew, as in a recording that was joined from two MPEG transport streams.
# What happens: the muxer raises the times that fall to the last one before, so that all of the second part is listed
# at one moment. Without -copyts ffmpeg mends the clock, and the second part follows the first.
# Version: imageio-ffmpeg 0.8.1 with ffmpeg n9.0.2. Source: what is listed below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())")
cd "$folder"
for colour in red blue; do
  "$ffmpeg" -v error -f lavfi -i "color=$colour:s=64x64:r=25:d=4" -c:v libx264 -bf 0 -pix_fmt yuv420p "$colour.ts"
done
cat red.ts blue.ts >both.ts

moments() { # how many packets, and at how many moments
  "$ffmpeg" -v quiet "$@" -i both.ts -c copy -f framecrc - | grep -v '^#' |
    awk -F, '{packets++; if (!seen[$3]++) moments++} END {print packets, moments}'
}

"$ffmpeg" -version | head -1
kept=$(moments -copyts)
mended=$(moments)
echo "packets and moments with -copyts: $kept; without: $mended"
[[ $mended == "200 200" ]]
read -r packets seen <<<"$kept"
((packets == 200 && seen < 110))
