"""What becomes of the answers when clips are encoded again as HDR: HLG and PQ.

    python -m benchmarks.hdr CLIP... [--model ID_OR_DIR] [--json FILE]

Each clip is converted to BT.2020 with either transfer and with white at 100 and at 203 nits, since
programs differ in that, and encoded with 10 bits by libx265. For comparison it is also encoded
again as it is, with 8 and with 10 bits. Printed for each version: how many labels changed, and the
mean change of the logit of `probability_fake`, against the file and against its 10-bit version.
"""

import argparse
import json
import math
import subprocess
import tempfile
from pathlib import Path

_AS_IT_IS = {
    "SDR, 8 bits": "format=yuv420p",
    "SDR, 10 bits": "format=yuv420p10le",
}

_BASE = "SDR, 10 bits"  # went through the same encoder as the HDR versions

_TAGS = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def _filters() -> dict[str, str]:
    """Returns the filters to each version, by name."""
    filters = dict(_AS_IT_IS)
    for name, transfer in {"HLG": "arib-std-b67", "PQ": "smpte2084"}.items():
        for white in (203, 100):
            filters[f"{name}, white at {white} nits"] = (
                f"scale=out_color_matrix=bt709,{_TAGS},zscale=t=linear:npl={white},"
                f"format=gbrpf32le,zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl={white},"
                "format=yuv420p10le"
            )
    return filters


def main() -> None:
    """Encodes and scores all clips and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--model", default=None, help="folder or Hub repository")
    parser.add_argument("--json", default=None, help="also write all probabilities to this file")
    options = parser.parse_args()
    from dfjax.models.locate import model_source
    from dfjax.predictor import Predictor
    from dfjax.video.executable import ffmpeg_executable

    predictor = Predictor.from_pretrained(model_source(options.model))
    answers: dict[str, list[dict]] = {name: [] for name in ("file", *_filters())}
    with tempfile.TemporaryDirectory() as folder:
        for clip in options.clips:
            answers["file"].append(predictor(clip).to_dict())
            for name, filters in _filters().items():
                encoded = Path(folder) / "clip.mp4"
                command = [ffmpeg_executable(), "-y", "-v", "error", "-i", str(clip), "-an"]
                command += ["-vf", filters, "-c:v", "libx265", "-preset", "veryfast", "-crf", "14"]
                command += ["-x265-params", "log-level=error", str(encoded)]
                subprocess.run(command, check=True)
                answers[name].append(predictor(encoded).to_dict())
    print(f"{len(options.clips)} clips".ljust(26), "labels changed, change of the logit; against")
    print(" " * 26, "the file".ljust(18), _BASE)
    for name in _filters():
        columns = [_compare(answers[base], answers[name]) for base in ("file", _BASE)]
        print(f"{name:26}", *(f"{changed:2}, {moved:<13.2f}" for changed, moved in columns))
    if options.json:
        kept = {
            name: [
                {"video": before["video"]["name"], "label": answer["label"]}
                | {"probability_fake": answer["probability_fake"]}
                for before, answer in zip(answers["file"], given, strict=True)
            ]
            for name, given in answers.items()
        }
        Path(options.json).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _compare(before: list[dict], after: list[dict]) -> tuple[int, float]:
    """Returns how many labels differ, and the mean change of the logit where both have one."""
    moved = [
        abs(_logit(new["probability_fake"]) - _logit(old["probability_fake"]))
        for old, new in zip(before, after, strict=True)
        if "no_face" not in (old["label"], new["label"])
    ]
    changed = sum(old["label"] != new["label"] for old, new in zip(before, after, strict=True))
    return changed, sum(moved) / max(len(moved), 1)


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


if __name__ == "__main__":
    main()
