"""A training run, from prepared data to a checkpoint folder."""

import collections
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from dfjax.config import Config, DetectorConfig, dumps, to_json_value
from dfjax.data.prepared import ClipRow, load_manifest, load_report, load_skipped
from dfjax.data.sources import title
from dfjax.data.store import ClipStore, StoredClip
from dfjax.errors import DatasetError, TrainingError
from dfjax.evaluation.calibration import calibrate_on, correction_share, with_correction
from dfjax.evaluation.figures import report
from dfjax.evaluation.scores import compression_name
from dfjax.evaluation.scoring import ScoredClip
from dfjax.inference.jax_engine import JaxEngine
from dfjax.train_config import TrainConfig
from dfjax.training.loader import Loader
from dfjax.training.loop import OnStep, Trainer
from dfjax.training.metrics_log import MetricsLog, read_metrics
from dfjax.training.saves import Saves
from dfjax.training.start import RECORD_FILE, describe_difference, start
from dfjax.training.state import ModelParts, make_optimizer
from dfjax.training.step import data_mesh, make_train_step
from dfjax.training.validation import SPLIT, Validation
from dfjax.version import __version__

RUN_FILE = "run.json"
"""In the run's folder: all that is needed to run it again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run is given beside its configs. None of it changes what is learnt.

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
    resume: bool = False  # go on with the run that the folder holds, or begin it


def run(
    sources: Sequence[str],
    weights: Sequence[str],
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: DetectorConfig,
    options: RunOptions,
    on_step: OnStep,
) -> dict[str, Any]:
    """Trains a detector, calibrates it, and writes `out/checkpoint`.

    `out` also gets `run.json`, `metrics.jsonl`, `tensorboard/`, `loss.png`, `roc.png`, and the
    states in `saves/`, from which a run that was cut off is taken up again: it ends with the very
    bits with which it would have ended. With several processes each calls this with the same
    arguments, the folder is shared, and the first one writes.

    Args:
      sources: Prepared data sets, as for `open_rows`; each has the splits "train" and "validation".
      weights: Folder or Hub repository with the published ResNet files, for an encoder from
        ImageNet; or one or more with detectors of the same shape, to go on from all that they have
        learnt, of several from their mean.
      out: A new folder, or with `options.resume` that of a run with the same configs and data.
      train_config: How to train.
      detector_config: Shape of what follows the encoder.
      options: What does not change the result.
      on_step: Told the metrics after each step and each validation.

    Returns:
      The record, also written to `training.json` in the checkpoint.

    Raises:
      DatasetError: A data set was not prepared, two were prepared differently, or splits share
        identities.
      TrainingError: `out` is not what was said, or training cannot go on.
    """
    if not 0 <= options.start_share <= 1:
        raise TrainingError(
            f"--start-share is {options.start_share}; it is a share and must lie in [0, 1]."
        )
    measured = [*sources, *options.validation_data]
    manifests = [load_manifest(source) for source in measured]
    config = _config_of(measured, manifests, detector_config)
    description = {
        "train_config": to_json_value(train_config),
        "detector_config": to_json_value(detector_config),
        "weights": list(weights),
        "fingerprints": [manifest["fingerprint"] for manifest in manifests],
        "command": options.command,
        "versions": _versions(),
        "git_commit": _git_commit(),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }
    is_first = jax.process_index() == 0
    if is_first:
        _claim_folder(out, description, resume=options.resume)
    store, validation_clips = ClipStore(sources, "train"), ClipStore(measured, SPLIT).clips
    _refuse_shared_groups(store.clips, validation_clips)
    _require_both_labels(validation_clips)

    detector, before = start(weights, config, train_config.seed)
    if options.start_share and not before:
        raise TrainingError(
            f"--start-share is {options.start_share}, and the run starts from an encoder: nothing "
            "that follows it has learnt yet. Leave it out, or start from a detector."
        )
    config = detector.config
    mesh = data_mesh()
    replicated = NamedSharding(mesh, PartitionSpec())
    parts = ModelParts.of(detector, train_config)
    parts = dataclasses.replace(parts, frozen=jax.device_put(parts.frozen, replicated))
    optimizer = make_optimizer(train_config, parts)
    state = jax.device_put(parts.initial_state(optimizer), replicated)
    loader = Loader(
        store,
        train_config,
        mesh,
        image_size=config.crops.image_size,
        workers=options.workers or os.cpu_count() or 1,
    )
    validation = Validation(measured, JaxEngine.for_many(detector))
    with contextlib.ExitStack() as stack:
        saves = stack.enter_context(Saves(out / "saves"))
        if saves.last_step is not None:
            state = saves.restore(saves.last_step, state)
        record = None
        if is_first:
            record = stack.enter_context(MetricsLog(out, start=int(state.step)))
        trainer = Trainer(
            parts=parts,
            step=make_train_step(parts, optimizer, train_config, mesh),
            loader=loader,
            validation=validation,
            saves=saves,
            config=train_config,
            save_every=options.save_every,
            record=record,
            on_step=on_step,
        )
        state = trainer.run(state)
        if train_config.publish == "best" and saves.best_step is not None:
            state = saves.restore(saves.best_step, state)
    exact = trainer.variables(state)
    if options.start_share:
        first = jax.device_put(nnx.state(detector), replicated)
        exact = jax.tree.map(
            lambda end, begin: end + options.start_share * (begin - end), exact, first
        )
    unrounded = validation.score(exact)
    share = correction_share(unrounded)
    unrounded = with_correction(unrounded, share)
    nnx.update(detector, exact)
    detector.temporal.weigh_correction(share)
    nnx.update(detector, _rounded(nnx.state(detector)))
    scored = validation.score(nnx.state(detector))
    calibration = calibrate_on(scored, max_false_positive_rate=train_config.max_false_positive_rate)
    detector.config = dataclasses.replace(config, calibration=calibration)
    training = {
        "data": {
            "name": _data_name(store.clips),
            "about": options.about_data,
            "train": _counts(store.clips),
            "validation": _counts([clip.row for clip in scored]),
            "skipped": _skipped(sources),
            "fingerprint": "+".join(description["fingerprints"]),
        },
        "started_from": before,
        "train_config": description["train_config"],
        "versions": description["versions"],
        "command": options.command,
        "published": train_config.publish,
        "step": int(state.step),
        "start_share": options.start_share,
        "correction_share": share,
        "rounding": {"largest_logit_change": _largest_change(unrounded, scored)},
        "validation": report(scored, load_skipped(measured, SPLIT), calibration, split=SPLIT),
        "seconds": _seconds(out),
    }
    if is_first:
        detector.save_pretrained(out / "checkpoint")
        (out / "checkpoint" / RECORD_FILE).write_text(dumps(training), encoding="utf-8")
    return training


def _seconds(out: Path) -> float:
    """Returns how long all steps and validations took, those before a run was cut off too."""
    rows = read_metrics(out)
    names = ("step_seconds", "validation_seconds")
    return round(sum(row[name] for row in rows for name in names if name in row), 1)


def _rounded(variables: nnx.State) -> nnx.State:
    """Returns the variables as they are published: kernels with the digits of float16.

    Before they are measured, so that the figures are those of what people get.
    """
    return jax.tree.map(
        lambda x: x.astype(jnp.float16).astype(x.dtype) if x.ndim > 1 else x, variables
    )


def _largest_change(exact: Sequence[ScoredClip], rounded: Sequence[ScoredClip]) -> float:
    """Returns by how much rounding changed a logit at most, of a clip or of one of its frames."""
    return max(
        max(
            abs(before.clip_logit - after.clip_logit),
            float(np.abs(before.frame_logits - after.frame_logits).max()),
        )
        for before, after in zip(exact, rounded, strict=True)
    )


def _config_of(
    sources: Sequence[str], manifests: Sequence[dict], detector_config: DetectorConfig
) -> Config:
    """Returns the config with the parts that the data sets were prepared with."""
    parts = [manifest["config"] for manifest in manifests]
    for source, other in zip(sources[1:], parts[1:], strict=True):
        if other != parts[0]:
            raise DatasetError(
                f"{sources[0]} and {source} were prepared with different configs, so their crops "
                "differ. Prepare both with the same."
            )
    return dataclasses.replace(Config.from_dict(parts[0]), detector=detector_config)


def _claim_folder(out: Path, description: dict[str, Any], *, resume: bool) -> None:
    """Writes `run.json` into a new folder, or checks that of the run that is to go on."""
    path = out / RUN_FILE
    if resume and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        for name in ("train_config", "detector_config", "weights", "fingerprints"):
            if before[name] != description[name]:
                difference = describe_difference(before[name], description[name])
                raise TrainingError(
                    f"{out} holds a run with other {name}: {difference}. Resume with the "
                    "arguments of its `command` in run.json, or name a new folder."
                )
        return
    if out.exists() and any(out.iterdir()):
        raise TrainingError(
            f"{out} is not empty. Name a new folder, so that no run is overwritten, or go on with "
            "the run that it holds by --resume."
        )
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(description), encoding="utf-8")


def _refuse_shared_groups(
    train_clips: Sequence[StoredClip], validation: Sequence[StoredClip]
) -> None:
    shared = sorted({clip.group for clip in train_clips} & {clip.group for clip in validation})
    if shared:
        raise DatasetError(
            f"{len(shared)} groups of identities are in training and validation, such as "
            f"{shared[0]}. A figure from such a split means nothing: split by identity."
        )


def _require_both_labels(validation: Sequence[StoredClip]) -> None:
    labels = collections.defaultdict(set)
    for clip in validation:
        labels[clip.dataset].add(clip.is_fake)
    if not any(len(found) == 2 for found in labels.values()):
        raise DatasetError(
            f"no data set has both real and fake validation videos; there are {dict(labels)}. "
            "Without them nothing can be measured or calibrated: add a data set that has both."
        )


def _data_name(clips: Sequence[StoredClip]) -> str:
    """Returns such as "FaceForensics++ c23": data sets with their compressions."""
    names = {f"{title(clip.dataset)} {compression_name(clip.compression)}" for clip in clips}
    return ", ".join(sorted(name.strip() for name in names))


def _counts(clips: Sequence[StoredClip] | Sequence[ClipRow]) -> dict[str, int]:
    """Returns how many videos, clips and groups of identities there are, and their labels."""
    labels = {clip.video: clip.is_fake for clip in clips}
    return {
        "videos": len(labels),
        "clips": len(clips),
        "real": sum(not is_fake for is_fake in labels.values()),
        "fake": sum(map(bool, labels.values())),
        "groups": len({clip.group for clip in clips}),
    }


def _skipped(sources: Sequence[str]) -> dict[str, int]:
    """Returns how many videos gave no clip, by reason, over all splits and data sets."""
    counts = {"no_face": 0, "unreadable": 0, "missing": 0}
    for source in sources:
        if Path(source).is_file():
            continue  # a parquet file alone does not tell
        prepared = load_report(source)
        counts["missing"] += len(prepared["missing"])
        for split in prepared["splits"].values():
            counts["no_face"] += split["no_face"]
            counts["unreadable"] += split["unreadable"]
    return counts


def _versions() -> dict[str, str]:
    names = ("jax", "jaxlib", "flax", "optax")
    return {"dfjax": __version__, **{name: importlib.metadata.version(name) for name in names}}


def _git_commit() -> str | None:
    """Returns the commit of this code, "+" behind it where files were changed; None if unknown."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit, changed = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changed.strip() else "")
