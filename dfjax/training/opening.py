"""How a run opens: all that can be wrong is found out before the first step, and before a file."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dfjax.config import DetectorConfig
from dfjax.data.prepared import load_manifest
from dfjax.data.store import ClipStore
from dfjax.errors import TrainingError
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.train_config import TrainConfig
from dfjax.training.folder import check_folder, claim_folder, describe_run
from dfjax.training.loader import Loader
from dfjax.training.run_data import RunData, open_data
from dfjax.training.start import start
from dfjax.training.state import ModelParts, TrainState, make_optimizer
from dfjax.training.step import TrainStep, data_mesh, make_train_step
from dfjax.training.validation import Validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run besides its configs. None of them changes what is learnt.

    Two have a part in what is published. `validation_data`, in the calibration: real videos of
    other sources tell how often those are called fake. `start_share`, in the weights: they are the
    mean, so weighed, of what the run started from and what it ends with (Wortsman et al., "Robust
    fine-tuning of zero-shot models", CVPR 2022).
    """

    command: str  # the command line, for the record
    workers: int = 0  # threads that decode; 0: one per core
    save_every: int = 200  # steps between two saves
    validation_data: tuple[str, ...] = ()  # more data sets, of which only "validation" is used
    about_data: str = ""  # origins and terms of the data, sentences for the card
    start_share: float = 0.0  # from 0 to 1, of the weights before the first step in the published
    resume: bool = False  # continue the run in the folder, or start it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machinery:
    """What takes the steps of a run, on the devices of all processes."""

    mesh: Mesh
    parts: ModelParts  # of which `frozen` is on the devices
    optimizer: optax.GradientTransformation
    step: TrainStep
    loader: Loader

    @property
    def replicated(self) -> NamedSharding:
        """The sharding of what every device holds whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    def initial_state(self) -> TrainState:
        """Returns the state before the first step, on the devices, in new arrays."""
        return jax.device_put(self.parts.initial_state(self.optimizer), self.replicated)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenedRun:
    """A run that is ready to start or continue: all is checked and the folder is claimed."""

    out: Path
    train_config: TrainConfig
    options: RunOptions
    description: dict[str, Any]  # from `describe_run`
    data: RunData
    detector: Detector  # before the first step
    started_from: list[dict[str, Any]]  # records of the detectors that it is made of
    machinery: Machinery
    validation: Validation


def open_run(
    sources: Sequence[str],
    weights: Sequence[str],
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: DetectorConfig,
    options: RunOptions,
) -> OpenedRun:
    """Opens data and weights, and claims the folder once nothing was found to be wrong.

    Args and errors are those of `run`. If it raises, nothing was written.
    """
    if not 0 <= options.start_share <= 1:
        raise TrainingError(
            f"--start-share is {options.start_share}; it is a share and must lie in [0, 1]."
        )
    # The folder comes first: it is looked at in no time, and data may have to be downloaded.
    measured = (*sources, *options.validation_data)
    manifests = [load_manifest(source) for source in measured]
    description = describe_run(
        train_config,
        detector_config,
        weights=weights,
        fingerprints=[manifest["fingerprint"] for manifest in manifests],
        command=options.command,
    )
    is_first = jax.process_index() == 0
    if is_first:
        check_folder(out, description, resume=options.resume)
    data = open_data(sources, options.validation_data, manifests)
    config = dataclasses.replace(data.config, detector=detector_config)
    detector, started_from = start(weights, config, train_config.seed)
    if options.start_share and not started_from:
        raise TrainingError(
            f"--start-share is {options.start_share}, and the run starts from an encoder: nothing "
            "that follows it has learnt yet. Leave it out, or start from a detector."
        )
    machinery = make_machinery(detector, data.store, train_config, workers=options.workers)
    validation = Validation(data.measured, JaxEngine.for_many(detector))
    if is_first:
        claim_folder(out, description)
    return OpenedRun(
        out=out,
        train_config=train_config,
        options=options,
        description=description,
        data=data,
        detector=detector,
        started_from=started_from,
        machinery=machinery,
        validation=validation,
    )


def make_machinery(
    detector: Detector, store: ClipStore, config: TrainConfig, *, workers: int
) -> Machinery:
    """Returns what takes the steps of a run.

    Args:
      detector: Before the first step.
      store: The training clips.
      config: How to train.
      workers: Threads that decode; 0: one per core.

    Raises:
      TrainingError: As for `Loader`.
    """
    mesh = data_mesh()
    parts = ModelParts.of(detector, config)
    frozen = jax.device_put(parts.frozen, NamedSharding(mesh, PartitionSpec()))
    parts = dataclasses.replace(parts, frozen=frozen)
    optimizer = make_optimizer(config, parts)
    loader = Loader(
        store,
        config,
        mesh,
        image_size=detector.config.crops.image_size,
        workers=workers or os.cpu_count() or 1,
    )
    return Machinery(
        mesh=mesh,
        parts=parts,
        optimizer=optimizer,
        step=make_train_step(parts, optimizer, config, mesh),
        loader=loader,
    )
