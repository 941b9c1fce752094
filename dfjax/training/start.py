"""Makes the detector that a run starts from: a published encoder, or earlier detectors."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from dfjax.config import Config
from dfjax.data.trained_on import read_trained_on
from dfjax.errors import TrainingError
from dfjax.json_values import to_json_value
from dfjax.models.detector import Detector
from dfjax.models.encoders import load_encoder
from dfjax.models.locate import find_folder
from dfjax.models.model_files import read_json
from dfjax.models.pretrained import DETECTOR_TYPES

RECORD_FILE = "training.json"
"""In the checkpoint: what it was trained on, how, and its validation results."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """A detector before the first step."""

    detector: Detector
    records: list[dict[str, Any]]  # of the training of each detector it is made from
    trained_on: frozenset[str]  # whom these were trained on, from `read_trained_on`


def start(weights: Sequence[str], config: Config, seed: int, *, new_crops: bool = False) -> Start:
    """Returns the detector before the first step, and how the models it starts from were trained.

    Several detectors are merged by taking the mean of their weights. If they were trained from the
    same starting point, the mean is often better than each of them and costs no more to run
    (Wortsman et al., "Model soups", ICML 2022). The mean of independently trained detectors is
    worthless.

    Args:
      weights: As for `run`.
      config: Config from the data and the command line; its encoder part comes from `weights`.
      seed: Seed for newly initialised weights.
      new_crops: Whether detectors may have been trained on other frames or crops than this run's.

    Raises:
      TrainingError: A detector uses different crops or has another shape than `config`; or
        `weights` is empty, or has several entries of which one is an encoder or has another encoder
        than the first.
    """
    if not weights:
        raise TrainingError("--weights is empty. Give an encoder or a detector to start from.")
    folders = [find_folder(source) for source in weights]
    are_detectors = [
        read_json(folder, "config.json").get("model_type") in DETECTOR_TYPES for folder in folders
    ]
    if len(weights) > 1 and not all(are_detectors):
        encoder = weights[are_detectors.index(False)]
        raise TrainingError(
            f"{encoder} is not a detector, so it cannot be averaged with the others. Give "
            "--weights one encoder, or one or more detectors."
        )
    if not are_detectors[0]:
        encoder = load_encoder(weights[0], image_size=config.crops.image_size)
        config = dataclasses.replace(config, encoder=encoder.config)
        detector = Detector(config, rngs=nnx.Rngs(seed), encoder=encoder)
        return Start(detector=detector, records=[], trained_on=frozenset())
    detectors = [
        _load(source, folder, config, new_crops)
        for source, folder in zip(weights, folders, strict=True)
    ]
    _require_same_encoder(weights, detectors)
    detector = detectors[0]
    states = [nnx.state(one) for one in detectors]
    nnx.update(detector, jax.tree.map(lambda *values: sum(values) / len(values), *states))
    return Start(
        detector=detector,
        records=[_record(folder) for folder in folders],
        trained_on=frozenset().union(*map(read_trained_on, folders)),
    )


def _load(source: str, folder: Path, config: Config, new_crops: bool) -> Detector:
    """Returns a detector with the config of this run, after checking that its shape fits."""
    detector = Detector.from_pretrained(folder)
    for part in ("detector",) if new_crops else ("video", "crops", "detector"):
        theirs, ours = (_what_weights_see(c, part) for c in (detector.config, config))
        if theirs != ours:
            remedy = (
                "Give the values that are there as --detector.* options, or start from an encoder."
                if part == "detector"
                else f"Prepare the data with --model {source}, start from an encoder, or let it "
                "get used to the new frames and crops with --new-crops."
            )
            raise TrainingError(
                f"The detector in {source} differs from this run in {part}: "
                f"{describe_difference(theirs, ours)}. {remedy}"
            )
    try:
        detector.config = dataclasses.replace(config, encoder=detector.config.encoder)
    except ValueError as error:  # a vision transformer has as many positions as its crops patches
        raise TrainingError(
            f"The encoder of {source} does not fit the crops: {error} Prepare the data with "
            f"--image-size {detector.config.crops.image_size}."
        ) from error
    return detector


def _require_same_encoder(weights: Sequence[str], detectors: Sequence[Detector]) -> None:
    ours, *others = (to_json_value(detector.config.encoder) for detector in detectors)
    for source, theirs in zip(weights[1:], others, strict=True):
        if theirs != ours:
            raise TrainingError(
                f"The encoder of {source} is not that of {weights[0]}, so their weights have no "
                f"mean: {describe_difference(theirs, ours)}. Give --weights one of them, or "
                "detectors with the same encoder."
            )


def _what_weights_see(config: Config, part: str) -> dict[str, Any]:
    """Returns a part of a config, without what hangs on no weight and changes no crop."""
    values = to_json_value(getattr(config, part))
    values.pop("min_detail", None)  # selects faces
    values.pop("dropout", None)
    return values


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        record = {}
    return {
        **{key: record.get(key) for key in ("command", "step", "started_from")},
        "trained_methods": record.get("data", {}).get("trained_methods", {}),
    }


def describe_difference(before: Any, now: Any) -> str:
    """Describes in words how two values differ, naming the fields if they are dicts or lists."""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = (dict(enumerate(values)) for values in (before, now))
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{before} there, {now} here"
    pairs = {n: (before.get(n, "absent"), now.get(n, "absent")) for n in {**before, **now}}
    return "; ".join(f"{n}: {describe_difference(*p)}" for n, p in pairs.items() if p[0] != p[1])
