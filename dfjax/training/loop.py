"""Training of what follows the encoder, on features that are computed once."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from scipy.special import expit

from dfjax.config import CalibrationConfig, Config, TrainConfig
from dfjax.errors import TrainingError
from dfjax.evaluation import protocol
from dfjax.evaluation.calibration import calibrate, thresholds
from dfjax.evaluation.metrics import roc_auc
from dfjax.models.detector import Detector
from dfjax.training.batches import balanced_batch, steps_per_epoch
from dfjax.training.features import FeatureClips
from dfjax.training.step import Batch, TrainState, data_mesh, make_optimizer, make_train_step


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """One line of `metrics.jsonl`."""

    step: int
    epoch: int
    loss: float  # mean over the steps of the epoch
    grad_norm: float  # likewise
    validation_auc: float  # video level
    seconds: float  # since the start of the run


@dataclasses.dataclass(frozen=True)
class ClipScores:
    """Logits of N clips of T frames."""

    frame_logits: np.ndarray  # float64 [N, T]
    clip_logits: np.ndarray  # float64 [N]

    def mean_of_frames(self, frame_mask: np.ndarray) -> np.ndarray:
        """Returns [N]: the baseline that knows nothing of time."""
        return np.mean(self.frame_logits, axis=1, where=frame_mask)


def train(
    detector: Detector, train_clips: FeatureClips, validation: FeatureClips, config: TrainConfig
) -> Iterator[EpochMetrics]:
    """Trains `detector.temporal` in place, yielding after every epoch.

    The run has a fixed number of steps and its last weights are kept. Nothing is chosen by the
    validation clips, so the AUC that is told at the end was not picked among many.

    Args:
      detector: Its encoder gave the features, and stays as it is.
      train_clips: One clip per video.
      validation: All clips of the validation videos.
      config: How to train.

    Raises:
      TrainingError: A class is absent, the batch does not fit the devices, or the loss is not
        finite.
    """
    _check_classes("training", train_clips)
    _check_classes("validation", validation)
    mesh = data_mesh()
    if config.batch_size % mesh.size:
        raise TrainingError(
            f"a batch of {config.batch_size} clips cannot be split over {mesh.size} devices. "
            f"Use a multiple of {mesh.size} as --batch-size."
        )
    started = time.perf_counter()
    graph, params = nnx.split(detector.temporal, nnx.Param)
    optimizer = make_optimizer(config)
    train_step = make_train_step(graph, optimizer, config, mesh)
    # The step donates its state, and the detector still holds these arrays.
    params = jax.tree.map(jnp.copy, params)
    state = TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))
    state = jax.device_put(state, NamedSharding(mesh, PartitionSpec()))
    key = jax.random.key(config.seed)
    epoch_steps = steps_per_epoch(train_clips.is_fake, config.batch_size)
    history = []
    for step in range(config.steps):
        rows = balanced_batch(train_clips.is_fake, config.batch_size, seed=config.seed, step=step)
        state, metrics = train_step(state, _batch(train_clips, rows), key)
        history.append(metrics)  # still on the devices: reading them here would wait for the step
        if (step + 1) % epoch_steps == 0 or step + 1 == config.steps:
            means = {name: float(np.mean([m[name] for m in history])) for name in metrics}
            if not np.isfinite(means["loss"]):
                raise TrainingError(
                    f"the loss is {means['loss']} within {len(history)} steps of step {step + 1}. "
                    "Try a lower --learning-rate."
                )
            history.clear()
            nnx.update(detector.temporal, jax.tree.map(jnp.copy, state.params))
            videos = _videos(validation, score_clips(detector, validation).clip_logits)
            yield EpochMetrics(
                step=step + 1,
                epoch=step // epoch_steps + 1,
                validation_auc=roc_auc(videos.is_fake, videos.scores),
                seconds=time.perf_counter() - started,
                **means,
            )


def score_clips(detector: Detector, clips: FeatureClips, *, batch_size: int = 64) -> ClipScores:
    """Returns the logits of all clips, in the order in which they stand."""
    graph, state = nnx.split(detector.temporal)
    score = jax.jit(lambda state, features, mask: nnx.merge(graph, state)(features, mask))
    frame_logits, clip_logits = [], []
    for start in range(0, len(clips), batch_size):
        # The last batch is filled up with its own rows, so that one shape is compiled.
        rows = np.arange(start, start + batch_size) % len(clips)
        count = min(batch_size, len(clips) - start)
        output = score(state, clips.features[rows], clips.frame_mask[rows])
        frame_logits.append(np.asarray(output.frame_logits, np.float64)[:count])
        clip_logits.append(np.asarray(output.clip_logits, np.float64)[:count])
    return ClipScores(np.concatenate(frame_logits), np.concatenate(clip_logits))


def calibrated(detector: Detector, validation: FeatureClips, config: TrainConfig) -> Config:
    """Returns the detector's config with a calibration fitted on the validation videos.

    A model whose AUC may be that of chance gets thresholds that no probability crosses, and a
    caveat that says so.
    """
    scores = score_clips(detector, validation)
    videos = _videos(validation, scores.clip_logits)
    # A label holds for the frames of the main face only; see `FeatureClips.main_faces`.
    main = validation.main_faces()
    frame_logits = score_clips(detector, main).frame_logits
    calibration = calibrate(
        clip_logits=videos.scores,
        is_fake=videos.is_fake,
        frame_logits=frame_logits[main.frame_mask],
        frame_is_fake=np.repeat(main.is_fake, main.frame_mask.sum(axis=1)),
        max_false_positive_rate=config.max_false_positive_rate,
    )
    return dataclasses.replace(
        detector.config, calibration=_withhold_unless_shown(calibration, videos)
    )


def _withhold_unless_shown(
    calibration: CalibrationConfig, videos: protocol.VideoScores
) -> CalibrationConfig:
    """Returns the calibration, without verdicts where the model may be no better than chance.

    A threshold can be fitted to any scores. To call a stranger's video fake by one that means
    nothing would be an accusation out of thin air.
    """
    auc, (low, high) = protocol.auc_with_interval(videos)
    if low > 0.5:
        return calibration
    measured = (
        f"AUC {auc:.2f} with a 95% interval from {low:.2f} to {high:.2f}, "
        f"over {len(videos.videos)} validation videos"
    )
    return dataclasses.replace(
        calibration,
        real_below=0.0,
        fake_above=1.0,
        false_positive_rate=0.0,
        caveat=f"This model has not been shown to do better than chance ({measured}), "
        "so it gives no verdict. Read its scores as an experiment.",
    )


def validation_report(
    detector: Detector, validation: FeatureClips, config: TrainConfig
) -> dict[str, Any]:
    """Returns the figures of a calibrated detector on the validation videos, as JSON values.

    The confusion counts are at the threshold for the false-positive rate that `config` allows, also
    where the model was too weak for it to be published.
    """
    calibration = detector.config.calibration
    scores = score_clips(detector, validation)
    probabilities = expit(calibration.scale * scores.clip_logits + calibration.bias)
    videos = _videos(validation, probabilities)
    _, fake_above = thresholds(videos.scores, videos.is_fake, config.max_false_positive_rate)
    return protocol.report(
        videos,
        _videos(validation, scores.mean_of_frames(validation.frame_mask)),
        fake_above=fake_above,
    )


def _videos(clips: FeatureClips, scores: np.ndarray) -> protocol.VideoScores:
    return protocol.highest_per_video(
        videos=clips.videos,
        methods=clips.methods,
        groups=clips.groups,
        is_fake=clips.is_fake,
        scores=scores,
    )


def _batch(clips: FeatureClips, rows: np.ndarray) -> Batch:
    return Batch(
        features=clips.features[rows],
        frame_mask=clips.frame_mask[rows],
        is_fake=clips.is_fake[rows].astype(np.float32),
    )


def _check_classes(split: str, clips: FeatureClips) -> None:
    counts = np.bincount(clips.is_fake, minlength=2)
    if counts.min() == 0:
        raise TrainingError(
            f"the {split} clips are {counts[0]} real and {counts[1]} fake; both are needed."
        )
