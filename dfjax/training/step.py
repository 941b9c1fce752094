"""The train step: jit over a device mesh, state replicated, batch split over the axis `data`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dfjax.config import TrainConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All that a step changes."""

    step: jax.Array  # int32 []
    params: Any  # of the temporal part
    opt_state: optax.OptState


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """B clips of T frames, as features of the frozen encoder."""

    features: jax.Array | np.ndarray  # float32 [B, T, C]
    frame_mask: jax.Array | np.ndarray  # bool [B, T]
    is_fake: jax.Array | np.ndarray  # float32 [B], 0 = real, 1 = fake


TrainStep = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, dict[str, jax.Array]]]


def data_mesh() -> Mesh:
    """Returns the mesh of all devices along the axis `data`."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Returns AdamW with clipped gradients, a linear warm-up and a cosine decay to zero."""
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.learning_rate,
        warmup_steps=min(config.warmup_steps, config.steps - 1),
        decay_steps=config.steps,
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(schedule, weight_decay=config.weight_decay),
    )


def make_train_step(
    graph: Any, optimizer: optax.GradientTransformation, config: TrainConfig, mesh: Mesh
) -> TrainStep:
    """Returns the compiled step. It donates the state that it is given.

    The step computes on the batch as a whole, wherever its rows lie, so eight devices give what
    one gives. `key` is the run's base key: the step number is folded in, and a resumed run draws
    the same dropout.

    Args:
      graph: Of the temporal part, from `nnx.split`.
      optimizer: From `make_optimizer`.
      config: For the weight of the frame loss.
      mesh: From `data_mesh`.
    """

    def loss_fn(params: Any, batch: Batch, key: jax.Array) -> jax.Array:
        temporal = nnx.merge(graph, params, copy=True)
        output = temporal(batch.features, batch.frame_mask, key=key)
        clip_loss = optax.sigmoid_binary_cross_entropy(output.clip_logits, batch.is_fake).mean()
        frame_losses = optax.sigmoid_binary_cross_entropy(
            output.frame_logits, jnp.broadcast_to(batch.is_fake[:, None], batch.frame_mask.shape)
        )
        frame_loss = jnp.mean(frame_losses, where=batch.frame_mask)
        return clip_loss + config.frame_loss_weight * frame_loss

    def train_step(state: TrainState, batch: Batch, key: jax.Array):
        key = jax.random.fold_in(key, state.step)
        loss, grads = jax.value_and_grad(loss_fn)(state.params, batch, key)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": loss, "grad_norm": optax.tree.norm(grads)}
        return TrainState(state.step + 1, params, opt_state), metrics

    replicated = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec("data"))
    return jax.jit(
        train_step,
        in_shardings=(replicated, split, replicated),
        out_shardings=(replicated, replicated),
        donate_argnums=0,
    )
