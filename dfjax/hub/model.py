"""The folder of a model repository: weights, configs and card, loaded back before publishing."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from flax import nnx
from huggingface_hub import ModelCard

from dfjax.errors import HubError
from dfjax.files import write_text_atomically
from dfjax.hub.folder import copy_known_files, read_front_matter, require_files
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.models.evaluation_file import EVALUATION_FILE, read_evaluation
from dfjax.models.fingerprint import fingerprint
from dfjax.models.model_files import INDEX_NAME, WEIGHTS_NAME, read_json
from dfjax.reporting.card import MODEL_ID_PLACEHOLDER, PICTURES, model_card

MODEL_FILES = (
    "README.md",
    "LICENSE",
    "config.json",
    "preprocessor_config.json",
    "calibration.json",
    "training.json",
    "trained_on.txt",
    EVALUATION_FILE,
    f"{PICTURES}/*.png",
    WEIGHTS_NAME,
    "model-*-of-*.safetensors",
    INDEX_NAME,
)
"""The files of a checkpoint that are published, as patterns; nothing else is."""

ONNX_FOLDER = "onnx"
"""Where exported files are put in a repository."""

MODEL_OWNED = (
    # A licence is sent where there is one, but nothing here writes it: on the Hub it is a person's.
    *(pattern for pattern in MODEL_FILES if pattern != "LICENSE"),
    f"{ONNX_FOLDER}/*.onnx",
)
"""Which files of a published model a push deletes if it does not bring them, as patterns."""

_PIPELINE_TAG = "video-classification"


def add_evaluation(checkpoint: Path, report: Path) -> None:
    """Puts an evaluation into a checkpoint: its figures and pictures, and an updated card.

    Args:
      checkpoint: Folder of the model, as `train.py` writes it.
      report: Folder that `evaluate` wrote for exactly this model.

    Raises:
      HubError: The report is for other weights or another config, or a file is missing.
      ModelFormatError: The model cannot be loaded, or a figure that the card states is missing.
    """
    try:
        evaluation = json.loads((report / EVALUATION_FILE).read_text(encoding="utf-8"))
        training = json.loads((checkpoint / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HubError(
            f"A card needs {EVALUATION_FILE} from an evaluation and the model's training.json: "
            f"{error}."
        ) from error
    detector = Detector.from_pretrained(checkpoint)
    known = fingerprint(nnx.state(detector), detector.config)
    measured = evaluation["model"]["fingerprint"]
    if measured != known:
        raise HubError(
            f"{report} measured a model with fingerprint {measured}; the one in {checkpoint} has "
            f"{known}. Evaluate that one."
        )
    card = model_card(detector.config, training=training, evaluation=evaluation)
    pictures = re.findall(rf"\]\({PICTURES}/([^)]+)\)", card)
    require_files([path.name for path in report.iterdir()], pictures, report)
    shutil.rmtree(checkpoint / PICTURES, ignore_errors=True)
    (checkpoint / PICTURES).mkdir()
    for name in pictures:
        shutil.copyfile(report / name, checkpoint / PICTURES / name)
    shutil.copyfile(report / EVALUATION_FILE, checkpoint / EVALUATION_FILE)
    write_text_atomically(checkpoint / "README.md", card)


def build_model_folder(
    source: Path, folder: Path, repo_id: str, *, with_onnx: bool = False
) -> list[str]:
    """Copies a checkpoint to `folder`, names the repository in its card, and loads it back.

    Args:
      source: Folder of the checkpoint.
      folder: An empty folder.
      repo_id: OWNER/NAME of the repository that the card is for.
      with_onnx: Also export the model to ONNX, made anew from its weights.

    Returns:
      The files' paths inside the folder, sorted.

    Raises:
      ExportError: An exported file does not compute what it should.
      HubError: The checkpoint, as it would be published, is incomplete or invalid.
      MissingExtraError: What an export needs is not installed.
      ModelFormatError: It cannot be loaded, or not be written as an ONNX graph.
    """
    files = copy_known_files(source, folder, MODEL_FILES)
    require_files(files, ("README.md", "config.json", "preprocessor_config.json"), source)
    check_model_folder(folder)
    name_model(folder / "README.md", repo_id)
    if with_onnx:
        from dfjax.export.onnx_files import ONNX_FILES, export_onnx

        export_onnx(str(folder), folder / ONNX_FOLDER, name=repo_id)
        files += [f"{ONNX_FOLDER}/{name}" for name in ONNX_FILES]
    return sorted(files)


def name_model(card: Path, name: str) -> None:
    """Puts what loads a model into the examples of its card: its repository or folder."""
    text = card.read_text(encoding="utf-8").replace(MODEL_ID_PLACEHOLDER, name)
    card.write_text(text, encoding="utf-8")


def check_model_folder(folder: Path) -> None:
    """Checks a checkpoint as a user would get it: its card, its weights, and that it can score.

    Raises:
      HubError: The card lacks what the Hub shows, weights or the evaluation are of another model,
        or a logit is not finite.
      ModelFormatError: It cannot be loaded.
    """
    metadata = read_front_matter(folder / "README.md", ModelCard)
    missing = [
        key for key in ("license", "library_name", "pipeline_tag", "tags") if not metadata.get(key)
    ]
    if missing:
        raise HubError(f"The model card's front matter lacks {', '.join(missing)}. Add it.")
    if metadata["pipeline_tag"] != _PIPELINE_TAG:
        raise HubError(
            f"The model card's pipeline_tag is {metadata['pipeline_tag']!r}; "
            f"this model is for {_PIPELINE_TAG!r}."
        )
    detector = Detector.from_pretrained(folder)
    _check_weights(folder)
    _check_evaluation(folder, detector)
    engine = JaxEngine(detector)
    size = detector.config.crops.image_size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    output = engine.score(engine.encode(crops)[None], np.ones((1, 2), bool))
    if not (np.isfinite(output.clip_logits).all() and np.isfinite(output.frame_logits).all()):
        raise HubError(
            "The model's logits are not finite: its weights are damaged, or training diverged. "
            "Publish an earlier checkpoint."
        )


def _check_weights(folder: Path) -> None:
    """Checks that all weights beside a model that loads are its own.

    Raises:
      HubError: Some are not; everybody would download them.
    """
    is_sharded = (folder / INDEX_NAME).exists()
    own = read_json(folder, INDEX_NAME)["weight_map"].values() if is_sharded else [WEIGHTS_NAME]
    left = sorted({path.name for path in folder.glob("*.safetensors")} - set(own))
    if left:
        raise HubError(
            f"{', '.join(left)} beside the model are not of this model. Delete what is left over "
            "from another."
        )


def _check_evaluation(folder: Path, detector: Detector) -> None:
    """Checks that the evaluation beside a model, if there is one, is of exactly this model.

    Raises:
      HubError: It is of another one, so that the card states thresholds and figures of that.
    """
    known = fingerprint(nnx.state(detector), detector.config)
    if (folder / EVALUATION_FILE).exists() and read_evaluation(folder, known) is None:
        raise HubError(
            f"{EVALUATION_FILE} and the card are not about the model beside them, whose "
            f"fingerprint is {known}: it was calibrated or changed after its evaluation. Evaluate "
            "it again with `python -m dfjax evaluate ... --card`; or calibrate a copy with `python "
            "-m dfjax calibrate ... --out FOLDER`, which gets a card of its own, and publish that."
        )
