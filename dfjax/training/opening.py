"""Opens a run, checking for every possible mistake before the first step or file is written."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dfjax.data.prepared import load_manifest
from dfjax.data.store import ClipStore
from dfjax.data.trained_on import INCOMPLETE, TRAINED_ON_FILE
from dfjax.errors import TrainingError
from dfjax.head_config import HeadConfig
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.models.fingerprint import fingerprint
from dfjax.runtimes.runtime import num_threads
from dfjax.train_config import TrainConfig
from dfjax.training.folder import check_folder, claim_folder, describe_run
from dfjax.training.loader import Loader
from dfjax.training.run_data import RunData, open_data
from dfjax.training.start import start
from dfjax.training.state import ModelParts, TrainState, make_optimizer
from dfjax.training.step import TrainStep, data_mesh, make_train_step
from dfjax.training.torch_step import make_torch_step
from dfjax.training.validation import Validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a run besides its configs. None of them affects training itself.

    Two affect the published model. `validation_data` affects the calibration: real videos from
    other sources show how often such videos are called fake. `start_share` affects the weights:
    they are a weighted mean of those at the start and at the end of the run (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", CVPR 2022).
    """

    command: str  # the command line, for the record
    workers: int = 0  # decoding threads; 0: one per core
    save_every: int = 200  # steps between two saves
    validation_data: tuple[str, ...] = ()  # more data sets; only their "validation" split is used
    about_data: str = ""  # origin and terms of the data, in sentences for the card
    license: str = "other"  # of the trained weights, as the Hub calls it
    start_share: float = 0.0  # weight of the starting model in the published weights, 0 to 1
    new_crops: bool = False  # whether to start from a detector of other frames or crops
    resume: bool = False  # resume the run in the folder, or start one if there is none


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machinery:
    """Everything needed to run the steps, on the devices of all processes."""

    mesh: Mesh
    parts: ModelParts  # `frozen` is on the devices
    optimizer: optax.GradientTransformation
    step: TrainStep
    loader: Loader

    @property
    def replicated(self) -> NamedSharding:
        """The sharding of arrays that every device holds in full."""
        return NamedSharding(self.mesh, PartitionSpec())

    def initial_state(self) -> TrainState:
        """Returns the state before the first step, on the devices, in new arrays."""
        return jax.device_put(self.parts.initial_state(self.optimizer), self.replicated)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenedRun:
    """A run that is ready to start or resume: all checks passed and the folder is claimed."""

    out: Path
    train_config: TrainConfig
    options: RunOptions
    description: dict[str, Any]  # from `describe_run`
    data: RunData
    detector: Detector  # before the first step
    started_from: list[dict[str, Any]]  # training records of the detectors it was made from
    trained_before: frozenset[str]  # whom these were trained on, from `read_trained_on`
    notes: list[str]  # sentences on what to know before the first step
    machinery: Machinery
    validation: Validation


def open_run(
    sources: Sequence[str],
    weights: Sequence[str],
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: HeadConfig,
    options: RunOptions,
) -> OpenedRun:
    """Opens data and weights, and claims the folder once all checks have passed.

    Arguments and errors are those of `run`. If it raises, nothing has been written.
    """
    if not 0 <= options.start_share <= 1:
        raise TrainingError(
            f"--start-share is {options.start_share}; it is a share and must be in [0, 1]."
        )
    if not sources:
        raise TrainingError("--data is empty. Give at least one prepared data set.")
    if options.save_every < 1:
        raise TrainingError(f"--save-every is {options.save_every}; at least 1 step is needed.")
    if options.workers < 0:
        raise TrainingError(
            f"--workers is {options.workers}; at least 1 is needed, or 0 for one per core."
        )
    # The folder is checked first: that is instant, whereas data may have to be downloaded.
    measured = (*sources, *options.validation_data)
    manifests = [load_manifest(source) for source in measured]
    description = describe_run(
        train_config,
        detector_config,
        weights=weights,
        manifests=manifests,
        num_training=len(sources),
        command=options.command,
    )
    is_first = jax.process_index() == 0
    if is_first:
        check_folder(out, description, resume=options.resume)
    data = open_data(sources, options.validation_data, manifests)
    config = dataclasses.replace(data.config, detector=detector_config)
    begin = start(weights, config, train_config.seed, new_crops=options.new_crops)
    data.refuse_trained_on(begin.trained_on)
    detector = begin.detector
    description["start"] = fingerprint(nnx.state(detector), detector.config)
    description["clips"] = data.identity()
    if is_first:
        check_folder(out, description, resume=options.resume)
    if options.start_share and not begin.records:
        raise TrainingError(
            f"--start-share is {options.start_share}, but the run starts from an encoder, so the "
            "layers after it are untrained. Leave the option out, or start from a detector."
        )
    notes = data.unused(train_config)
    if INCOMPLETE in begin.trained_on:
        notes.append(
            "The models given with --weights do not say of all clips that they were trained on "
            f"which they are ({TRAINED_ON_FILE}). If validation people of this data are among "
            "them, the figures and thresholds of this run flatter it."
        )
    machinery = make_machinery(detector, data.store, train_config, workers=options.workers)
    validation = Validation(
        data.measured,
        JaxEngine.for_many(detector),
        mirror_bursts=train_config.mirror_bursts,
    )
    if is_first:
        claim_folder(out, description)
    return OpenedRun(
        out=out,
        train_config=train_config,
        options=options,
        description=description,
        data=data,
        detector=detector,
        started_from=begin.records,
        trained_before=begin.trained_on,
        notes=notes,
        machinery=machinery,
        validation=validation,
    )


def make_machinery(
    detector: Detector, store: ClipStore, config: TrainConfig, *, workers: int
) -> Machinery:
    """Returns everything needed to run the steps.

    Args:
      detector: The detector before the first step.
      store: The training clips.
      config: How to train.
      workers: Number of decoding threads; 0: one per core.

    Raises:
      MissingExtraError: As for `make_torch_step`.
      TrainingError: As for `Loader` and `make_torch_step`.
    """
    mesh = data_mesh()
    parts = ModelParts.of(detector, config)
    frozen = jax.device_put(parts.frozen, NamedSharding(mesh, PartitionSpec()))
    parts = dataclasses.replace(parts, frozen=frozen)
    optimizer = make_optimizer(config, parts)
    if config.encoder_backend == "torch":
        step = make_torch_step(parts, optimizer, config, mesh, detector.config.encoder)
    else:
        step = make_train_step(parts, optimizer, config, mesh)
    loader = Loader(
        store,
        config,
        mesh,
        image_size=detector.config.crops.image_size,
        workers=workers or num_threads(),
    )
    return Machinery(
        mesh=mesh,
        parts=parts,
        optimizer=optimizer,
        step=step,
        loader=loader,
    )
