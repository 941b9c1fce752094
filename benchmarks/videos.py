"""The videos that are measured with, made from the project's own portrait."""

from pathlib import Path

from tests.videos import portrait_frames, run_ffmpeg, write_video

_KEYFRAMES = ["-g", "60"]

_LOOKS = 7
"""Versions of a clip that take turns in a long video. Looks at it are evenly spread, and would
otherwise see the same frames again and again, whose crops are encoded only once."""


def write_clip(path: Path) -> Path:
    """Writes 10 seconds of the portrait at 1920x1080 and 30 frames per second, in H.264."""
    turn = portrait_frames(60, size=(1080, 1920))
    frames = (turn[n % 60 if n // 60 % 2 == 0 else 59 - n % 60] for n in range(300))
    return write_video(path, frames, fps=30, arguments=["-crf", "20", *_KEYFRAMES])


def repeat_clip(video: Path, repeats: int, path: Path) -> Path:
    """Writes a video as long as so many of another, in which it comes darker and brighter."""
    looks = [path.with_name(f"{path.stem}-{n}.mp4") for n in range(_LOOKS)]
    for n, look in enumerate(looks):
        brighter = f"lutyuv=y=val+{4 * (n - _LOOKS // 2)}"
        run_ffmpeg("-i", video, "-an", "-vf", brighter, *_KEYFRAMES, look)
    turns = path.with_suffix(".txt")
    lines = [f"file {looks[n % _LOOKS].name}\n" for n in range(repeats)]
    turns.write_text("".join(lines), encoding="utf-8")
    run_ffmpeg("-f", "concat", "-i", turns, "-c", "copy", path)
    return path
