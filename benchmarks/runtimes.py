"""How far the other runtimes are from JAX, and how fast each is.

    python -m benchmarks.runtimes --prepared prepared/ffpp prepared/dfdc   # from crops
    python -m benchmarks.runtimes --files VIDEO...                         # from files, faces too
    python -m benchmarks.runtimes --speed                                  # seconds per stage

Of prepared data sets, the validation split is scored. Figures of speed need a machine that does
nothing else; the runtimes are measured in turns, and the best of several turns counts.
"""

import argparse
import importlib.util
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from dfjax.data.clip_row import ClipRow
from dfjax.data.prepared import read_clips
from dfjax.evaluation.scores import video_scores
from dfjax.evaluation.scoring import Scorer
from dfjax.models.locate import model_source
from dfjax.prediction import Decision
from dfjax.predictor import Predictor
from dfjax.runtimes.runtime import RuntimeName

SPEED_TURNS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares runtimes with JAX.")
    parser.add_argument("--model", default=None, help="folder or Hub repository")
    parser.add_argument(
        "--runtimes", nargs="+", choices=get_args(RuntimeName)[1:], help="default: all installed"
    )
    parser.add_argument("--prepared", nargs="+", default=(), help="prepared data sets")
    parser.add_argument("--every", type=int, default=1, help="use only every n-th clip or file")
    parser.add_argument("--files", nargs="+", type=Path, default=(), help="videos or pictures")
    parser.add_argument("--speed", action="store_true", help="measure seconds per stage")
    options = parser.parse_args()
    names: list[RuntimeName] = ["jax", *(options.runtimes or installed())]
    predictors = {
        name: Predictor.from_pretrained(model_source(options.model), runtime=name) for name in names
    }
    if options.prepared:
        scores = {
            name: of_crops(predictor, options.prepared, options.every)
            for name, predictor in predictors.items()
        }
        print_differences("prepared validation clips", scores, predictors["jax"])
    if options.files:
        files = options.files[:: options.every]
        scores = {name: of_files(predictor, files) for name, predictor in predictors.items()}
        print_differences("files", scores, predictors["jax"])
    if options.speed:
        print_speed(predictors)


def installed() -> list[RuntimeName]:
    """Returns the runtimes other than JAX whose packages are installed."""
    packages: dict[RuntimeName, str] = {
        "onnx": "onnxruntime",
        "openvino": "openvino",
        "openvino-bf16": "openvino",
    }
    return [name for name, package in packages.items() if importlib.util.find_spec(package)]


def of_crops(predictor: Predictor, folders: Sequence[str], every: int) -> dict[str, float]:
    """Returns the probability of each video of prepared data sets, from its crops."""
    rows: Iterator[ClipRow] = itertools.chain.from_iterable(
        read_clips(folder, "validation") for folder in folders
    )
    scored = Scorer(predictor.engine)(itertools.islice(rows, None, None, every))
    scores = video_scores(scored, predictor.config.calibration)
    return dict(zip(scores.videos.tolist(), scores.probabilities.tolist(), strict=True))


def of_files(predictor: Predictor, files: Iterable[Path]) -> dict[str, float]:
    """Returns the probability of each file in which there is a face."""
    answers = {str(file): predictor(file).probability_fake for file in files}
    return {name: value for name, value in answers.items() if value is not None}


def print_differences(what: str, scores: dict[str, dict[str, float]], reference: Predictor) -> None:
    decision = Decision.from_calibration(reference.config.calibration)
    expected = scores["jax"]
    print(f"| runtime | {what} | largest difference | 99% are below | mean | labels equal |")
    print("|---|---|---|---|---|---|")
    for name, found in scores.items():
        if name == "jax":
            continue
        both = sorted(found.keys() & expected.keys())
        differences = np.abs([found[key] - expected[key] for key in both])
        equal = np.mean([decision.label(found[k]) == decision.label(expected[k]) for k in both])
        only_one = len(found.keys() ^ expected.keys())
        print(
            f"| {name} | {len(both)} | {differences.max():.5f} | "
            f"{np.quantile(differences, 0.99):.5f} | {differences.mean():.6f} | {equal:.2%} |"
            + (f" (a face in one of the two only: {only_one})" if only_one else "")
        )


def print_speed(predictors: dict[str, Predictor]) -> None:
    rng = np.random.default_rng(0)
    size = predictors["jax"].config.crops.image_size
    crops = rng.integers(0, 256, (32, size, size, 3), np.uint8)
    frames = [frame[:1080, :1920] for frame in portraits(32)]
    stages: dict[str, Callable[[Predictor], object]] = {
        f"encode 32 crops of {size} pixels": lambda p: p.engine.encode(crops),
        "find the faces in 32 frames of 1080p": lambda p: p.face_detector.detect(frames),
    }
    print(f"| best of {SPEED_TURNS} turns, seconds | {' | '.join(predictors)} |")
    print("|---" * (1 + len(predictors)) + "|")
    for stage, run in stages.items():
        best = dict.fromkeys(predictors, float("inf"))
        for turn in range(SPEED_TURNS + 1):
            for name, predictor in predictors.items():
                started = time.perf_counter()
                run(predictor)
                if turn > 0:  # the first one compiles
                    best[name] = min(best[name], time.perf_counter() - started)
        print(f"| {stage} | {' | '.join(f'{seconds:.3f}' for seconds in best.values())} |")


def portraits(num_frames: int) -> list[np.ndarray]:
    """Returns frames in which a camera pans over a portrait."""
    import skimage.data
    from PIL import Image

    portrait = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((2048, 2048)))
    return [portrait[n:, n:] for n in range(num_frames)]


if __name__ == "__main__":
    main()
