"""What a run starts from: an encoder from ImageNet, or all that a detector has learnt."""

import dataclasses
import json
from typing import Any

from flax import nnx

from dfjax.config import Config, to_json_value
from dfjax.errors import TrainingError
from dfjax.models.detector import Detector
from dfjax.models.locate import find_folder
from dfjax.models.pretrained import MODEL_TYPE, read_json
from dfjax.models.weights import load_resnet

RECORD_FILE = "training.json"
"""In the checkpoint: what it was trained on and how, and what it reaches on validation."""


def start(weights: str, config: Config, seed: int) -> tuple[Detector, dict[str, Any] | None]:
    """Returns the detector before the first step, and how it was trained if it is one already.

    Args:
      weights: As for `run`.
      config: What the data and the command line ask for; the encoder's part is that of `weights`.
      seed: Of the weights that are new.

    Raises:
      TrainingError: The detector sees other crops or has another shape than `config`.
    """
    folder = find_folder(weights)
    if read_json(folder, "config.json").get("model_type") != MODEL_TYPE:
        encoder = load_resnet(weights)
        config = dataclasses.replace(config, encoder=encoder.config)
        return Detector(config, rngs=nnx.Rngs(seed), encoder=encoder), None
    detector = Detector.from_pretrained(folder)
    for part in ("video", "crops", "detector"):
        theirs, ours = (to_json_value(getattr(c, part)) for c in (detector.config, config))
        if theirs != ours:
            raise TrainingError(
                f"The detector in {weights} differs from this run in {part}, here and there: "
                f"{describe_difference(ours, theirs)}. Prepare the data as it was for that "
                "detector, or start from an encoder."
            )
    detector.config = dataclasses.replace(config, encoder=detector.config.encoder)
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        record = {}
    return detector, {key: record.get(key) for key in ("command", "step", "started_from")}


def describe_difference(before: Any, now: Any) -> str:
    """Returns in words what is not the same, by the names of fields where there are any."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{before} there, {now} here"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return "; ".join(f"{n}: {describe_difference(before.get(n), now.get(n))}" for n in names)
