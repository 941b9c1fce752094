"""Predictions as tables for spreadsheets: a line per video, or per frame of one."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dfjax.prediction import Prediction

VIDEO_COLUMNS = (
    *("video", "verdict", "probability_fake", "faces", "frames_scored", "longest_gap"),
    *("segment_face", "segment_start", "segment_end", "segment_probability_fake", "error"),
    *("sha256", "provenance"),
)
"""A line per file, or per stretch that looks fake where there are some. Times are in seconds; faces
are counted from 1, as on the page."""

FRAME_COLUMNS = (
    *("video", "sha256", "timestamp", "face", "probability_fake"),
    *("box_left", "box_top", "box_right", "box_bottom"),
)
"""A line per frame and face in it. Boxes are in pixels of the video as it is shown, right and
bottom exclusive."""

ENCODING = "utf-8-sig"
"""With the mark by which Excel knows UTF-8."""

_READ_AS_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def video_rows(report: Mapping[str, Any], name: str | None = None) -> Iterator[dict[str, Any]]:
    """Yields the lines of one file, by column.

    Args:
      report: A prediction as JSON values, or `video.name` and `error`.
      name: What the file is called; None: by its own name.
    """
    video = report["video"]
    row = {"video": as_text(name or video["name"])}
    if "error" in report:
        yield row | {"error": as_text(report["error"])}
        return
    row |= {
        "verdict": report["label"],
        "probability_fake": report["probability_fake"],
        "faces": len(report["tracks"]),
        "frames_scored": video["frames_scored"],
        "longest_gap": report["coverage"]["longest_gap"],
        "sha256": video["sha256"],
        "provenance": (report["provenance"] or {}).get("status"),
    }
    for segment in report["segments"] or [None]:
        yield row | _stretch(segment)


def csv_lines(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns lines of CSV without a header; what a row lacks is empty.

    All text is in quotation marks. Spreadsheets of many countries part cells at semicolons, and
    would else take a part of a file's name for a cell, or a formula, of its own.
    """
    buffer = io.StringIO()
    quoting = csv.QUOTE_NONNUMERIC
    csv.DictWriter(buffer, list(columns), restval="", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def csv_header(columns: Iterable[str]) -> str:
    """Returns the first line of a CSV file."""
    return csv_lines(columns, [{column: column for column in columns}])


def frames_csv(prediction: Prediction) -> str:
    """Returns every frame in which a face was scored as CSV with `FRAME_COLUMNS`."""
    rows = [
        {
            "video": as_text(prediction.video.name),
            "sha256": prediction.video.sha256,
            "timestamp": frame.timestamp,
            "face": track.id + 1,
            "probability_fake": frame.probability_fake,
            **dict(zip(FRAME_COLUMNS[-4:], frame.box_xyxy, strict=True)),
        }
        for track in prediction.tracks
        for frame in track.frames
    ]
    rows.sort(key=lambda row: (row["timestamp"], row["face"]))
    return csv_header(FRAME_COLUMNS) + csv_lines(FRAME_COLUMNS, rows)


def as_text(value: str) -> str:
    """Returns what a spreadsheet takes for text, whatever a stranger called a file."""
    return f"'{value}" if value.startswith(_READ_AS_FORMULAS) else value


def _stretch(segment: Mapping[str, Any] | None) -> dict[str, Any]:
    if segment is None:
        return {}
    return {
        "segment_face": segment["track"] + 1,
        "segment_start": segment["start"],
        "segment_end": segment["end"],
        "segment_probability_fake": segment["probability_fake"],
    }
