"""The training step, compiled for a device mesh with the axis `data`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dfjax.compiler_options import compiler_options
from dfjax.models.linear_head import l2_normalized
from dfjax.train_config import TrainConfig
from dfjax.training.examples import Examples, make_examples
from dfjax.training.loader import Batch, PairBatch
from dfjax.training.sphere_losses import alignment, uniformity
from dfjax.training.state import ModelParts, TrainState, augmented_share, learning_rate

TrainStep = Callable[[TrainState, Any, Batch, jax.Array], tuple[TrainState, dict[str, jax.Array]]]
"""(state, frozen variables, batch, base key) to (state, metrics)."""


def data_mesh() -> Mesh:
    """Returns the mesh of all devices of all processes, along the axis `data`."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def make_train_step(
    parts: ModelParts,
    optimizer: optax.GradientTransformation,
    config: TrainConfig,
    mesh: Mesh,
) -> TrainStep:
    """Returns the compiled step, which donates the state passed to it.

    The step computes on the batch as a whole, wherever its rows are, so eight devices give the same
    result as one. `key` is the run's base key: the step number is folded in, so a resumed run draws
    the same fakes, distortions and dropout.

    If the loss or a gradient is not finite, the state stays unchanged, including the step number.
    The same happens with a batch whose step number differs from the state's, so batches that were
    already queued at that point have no effect either: the state remains the last valid one.

    Args:
      parts: Parts of the detector.
      optimizer: From `make_optimizer`.
      config: How to train.
      mesh: From `data_mesh`.
    """

    def train_step(state: TrainState, frozen: Any, batch: Batch, key: jax.Array):
        key = jax.random.fold_in(key, state.step)
        grads, batch_stats, metrics = _gradients(parts, config, state, frozen, batch, key)
        return update(optimizer, config, state, grads, batch_stats, metrics, batch.step)

    replicated = NamedSharding(mesh, PartitionSpec())
    return jax.jit(
        train_step,
        out_shardings=(replicated, replicated),
        donate_argnums=0,
        compiler_options=compiler_options(),
    )


def update(
    optimizer: optax.GradientTransformation,
    config: TrainConfig,
    state: TrainState,
    grads: Any,
    batch_stats: Any,
    metrics: dict[str, jax.Array],
    batch_step: jax.Array,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Returns the next state and all metrics, or the same state if the step is not sound.

    Args:
      optimizer: From `make_optimizer`.
      config: How to train.
      state: The state before.
      grads: Gradients, in the form of `state.params`.
      batch_stats: Statistics of the norms after this batch.
      metrics: The losses.
      batch_step: int32 [], the step that the batch was made for.
    """
    grad_norm = optax.tree.norm(grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    # The average follows quickly at first, so that it forgets the randomly initialised heads.
    decay = jnp.minimum(config.ema_decay, (1 + state.step) / (10 + state.step))
    new_state = TrainState(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        opt_state=opt_state,
        ema_params=optax.incremental_update(params, state.ema_params, 1 - decay),
    )
    is_sound = jnp.isfinite(metrics["loss"]) & jnp.isfinite(grad_norm)
    is_sound &= batch_step == state.step
    new_state = jax.tree.map(lambda new, old: jnp.where(is_sound, new, old), new_state, state)
    rate = learning_rate(config)(state.step)
    return new_state, metrics | {"grad_norm": grad_norm, "learning_rate": jnp.asarray(rate)}


def _gradients(
    parts: ModelParts,
    config: TrainConfig,
    state: TrainState,
    frozen: Any,
    batch: Batch,
    key: jax.Array,
) -> tuple[Any, Any, dict[str, jax.Array]]:
    """Returns the gradients of the mean loss over the batch's parts, the statistics and metrics.

    Every clip has the same weight, however many of its frames are present, so the mean over parts
    equals the loss of the whole batch. Only alignment and uniformity do not: they compare the
    frames of a part.
    """
    by_norms = config.train == "norms"
    frozen_stages = 0 if by_norms else parts.num_stages - config.trained_stages

    def loss_fn(params: Any, batch_stats: Any, clips: Any, stills: Any, key: jax.Array):
        detector = nnx.merge(parts.graph, params, batch_stats, frozen, copy=True)
        images, is_present = pictures(clips, stills)
        features = detector.encode(
            images,
            use_running_average=not config.batch_statistics,
            image_mask=is_present,
            frozen_stages=frozen_stages,
        )
        losses = losses_of(detector, features, clips, stills, config, key)
        return losses["loss"], (nnx.state(detector, nnx.BatchStat), losses)

    def add_part(carry: tuple[Any, Any, Any], part: BatchPart):
        grads, batch_stats, metrics = carry
        clips, stills = examples_of(part, config, state.step)
        gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
        (_, (batch_stats, more)), more_grads = gradient_fn(
            state.params, batch_stats, clips, stills, part.key
        )
        share = 1 / config.accumulation
        grads = jax.tree.map(lambda sum_, new: sum_ + share * new, grads, more_grads)
        metrics = {name: metrics[name] + share * value for name, value in more.items()}
        return (grads, batch_stats, metrics), None

    zeros = jax.tree.map(jnp.zeros_like, state.params)
    on_sphere = ("alignment", "uniformity") if by_norms else ()
    metrics = {name: jnp.zeros(()) for name in ("clip_loss", "frame_loss", *on_sphere, "loss")}
    carry = (zeros, state.batch_stats, metrics)
    scanned = batch_parts(batch, config, key)
    if config.accumulation == 1:
        # On a CPU, XLA runs convolutions inside a loop many times slower.
        carry, _ = add_part(carry, jax.tree.map(lambda x: x[0], scanned))
    else:
        carry, _ = jax.lax.scan(add_part, carry, scanned)
    return carry


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BatchPart:
    """A part of a batch, with its keys; with an axis of parts in front, all of them."""

    clips: PairBatch | None
    stills: PairBatch | None
    clip_keys: jax.Array | None  # [P], one per pair
    still_keys: jax.Array | None
    key: jax.Array  # for the dropout


def batch_parts(batch: Batch, config: TrainConfig, key: jax.Array) -> BatchPart:
    """Returns all parts of a batch, along a first axis.

    Args:
      batch: The batch.
      config: How to train.
      key: The key of the step.
    """
    keys = jax.random.split(key, 3)
    return BatchPart(
        batch.clips,
        batch.stills,
        _pair_keys(keys[0], batch.clips),
        _pair_keys(keys[1], batch.stills),
        jax.random.split(keys[2], config.accumulation),
    )


def examples_of(
    part: BatchPart, config: TrainConfig, step: jax.Array
) -> tuple[Examples | None, Examples | None]:
    """Returns the examples of a part: clips and single pictures.

    Args:
      part: One part, without the axis of parts.
      config: How to train.
      step: int32 [], the number of the step, on which the share of distorted pairs depends.
    """
    augmented = jnp.asarray(augmented_share(config)(step))
    clips, stills = (
        None if pairs is None or keys is None else make_examples(keys, pairs, config, augmented)
        for pairs, keys in ((part.clips, part.clip_keys), (part.stills, part.still_keys))
    )
    return clips, stills


def _pair_keys(key: jax.Array, pairs: PairBatch | None) -> jax.Array | None:
    """Returns a key for each pair, [A,P], by its place in the batch rather than in its part."""
    return None if pairs is None else jax.random.split(key, pairs.is_blended.shape)


def pictures(clips: Examples | None, stills: Examples | None) -> tuple[jax.Array, jax.Array]:
    """Returns all frames of clips and stills, [N,S,S,3], and which are present, bool [N]."""
    kinds = [kind for kind in (clips, stills) if kind is not None]
    size = kinds[0].clips.shape[2:]
    images = jnp.concatenate([kind.clips.reshape(-1, *size) for kind in kinds])
    return images, jnp.concatenate([kind.frame_mask.reshape(-1) for kind in kinds])


def losses_of(
    detector: Any,
    features: jax.Array,
    clips: Examples | None,
    stills: Examples | None,
    config: TrainConfig,
    key: jax.Array,
) -> dict[str, jax.Array]:
    """Returns the loss, and its parts: the BCE of the clip and frame logits, averaged over clips.

    A still has no motion, so it trains the encoder and the frame head but not the temporal part. If
    norms are trained, alignment and uniformity of all frames are returned too.

    Args:
      detector: The detector, of which only what comes after the encoder is used.
      features: float [N,C], of all `pictures`.
      clips: The clips of the batch, if there are any.
      stills: Its single pictures, if there are any.
      config: How to train.
      key: For the dropout.
    """
    kinds = [kind for kind in (clips, stills) if kind is not None]
    frame_losses, clip_loss, start = [], jnp.zeros(()), 0
    for kind in kinds:
        stop = start + kind.frame_mask.size
        of_kind = features[start:stop].reshape(*kind.frame_mask.shape, -1)
        start = stop
        key, dropout_key = jax.random.split(key)
        output = detector.score_features(of_kind, kind.frame_mask, key=dropout_key)
        per_frame = _cross_entropy(output.frame_logits, kind.frame_is_fake, config)
        present = jnp.maximum(jnp.sum(kind.frame_mask, axis=1), 1)
        frame_losses.append(jnp.sum(per_frame * kind.frame_mask, axis=1) / present)
        if kind is clips:
            clip_loss = jnp.mean(_cross_entropy(output.clip_logits, kind.clip_is_fake, config))
    losses = {"clip_loss": clip_loss, "frame_loss": jnp.mean(jnp.concatenate(frame_losses))}
    if config.train == "norms":
        is_fake = jnp.concatenate([kind.frame_is_fake.reshape(-1) for kind in kinds])
        is_present = jnp.concatenate([kind.frame_mask.reshape(-1) for kind in kinds])
        on_sphere = l2_normalized(features)
        losses["alignment"] = alignment(on_sphere, is_fake, is_present)
        losses["uniformity"] = uniformity(on_sphere, is_present)
        loss = losses["frame_loss"] + config.alignment_weight * losses["alignment"]
        loss += config.uniformity_weight * losses["uniformity"]
    else:
        loss = losses["clip_loss"] + config.frame_loss_weight * losses["frame_loss"]
    return losses | {"loss": loss}


def _cross_entropy(logits: jax.Array, is_fake: jax.Array, config: TrainConfig) -> jax.Array:
    smoothed = is_fake * (1 - config.label_smoothing) + 0.5 * config.label_smoothing
    return optax.sigmoid_binary_cross_entropy(logits, smoothed)
