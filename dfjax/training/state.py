"""The state of a training run, the parts of a detector that are trained, and the optimizer."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from dfjax.errors import TrainingError
from dfjax.models.detector import Detector
from dfjax.models.encoders import Encoder
from dfjax.models.tensors import VariablePath
from dfjax.train_config import TrainConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that a step changes."""

    step: jax.Array  # int32 [], number of the next update
    params: Any  # the trained parameters
    batch_stats: Any  # of the encoder's norms
    opt_state: optax.OptState
    ema_params: Any  # moving average of `params`


@dataclasses.dataclass(frozen=True)
class ModelParts:
    """A detector split into the parts that training changes and those that it does not."""

    graph: Any  # computes in `TrainConfig.compute_dtype`
    params: Any  # the trained parameters
    batch_stats: Any
    frozen: Any  # the rest
    num_stages: int  # of the encoder
    stages_below_heads: Callable[[VariablePath], int]
    """From a variable's path: 0 after the encoder, 1 in its last stage, and so on."""

    @classmethod
    def of(cls, detector: Detector, config: TrainConfig) -> "ModelParts":
        """Returns the parts of a detector, split according to what is to be trained.

        Raises:
          TrainingError: The encoder has fewer stages than `config.trained_stages`, or it has no
            norms although these are to be trained.
        """
        num_stages = detector.encoder.num_stages
        by_norms = config.train == "norms"
        norms = _norms(detector.encoder) if by_norms else set()
        if by_norms and not norms:
            raise TrainingError(
                f"--train is norms; this encoder ({detector.config.encoder.type}) has none. Use "
                "--train stages."
            )
        if not by_norms and config.trained_stages > num_stages:
            raise TrainingError(
                f"--trained-stages is {config.trained_stages}; this encoder "
                f"({detector.config.encoder.type}) has {num_stages}. Use 0 to {num_stages}."
            )

        def stages_below_heads(path: VariablePath) -> int:
            match path:
                case ("encoder", *inner):
                    return num_stages - detector.encoder.stage_of(tuple(inner))
                case ("temporal", *_):
                    return 0
                case _:
                    # Treated as a head, it would be trained at the full rate whatever is frozen.
                    raise ValueError(f"a detector has no variable {path}.")

        def is_trained(path: VariablePath, value: Any) -> bool:
            stages = stages_below_heads(path)
            if stages > 0 and by_norms:
                return isinstance(value, nnx.Param) and path[1:-1] in norms
            return isinstance(value, nnx.Param) and stages <= config.trained_stages

        _, params, batch_stats, frozen = nnx.split(detector, is_trained, nnx.BatchStat, ...)
        encoder = dataclasses.replace(detector.config.encoder, compute_dtype=config.compute_dtype)
        twin = dataclasses.replace(detector.config, encoder=encoder)
        # Only traced for its structure: a model trained in bfloat16 is published in float32.
        abstract = nnx.eval_shape(lambda: Detector(twin, rngs=nnx.Rngs(0)))
        graph, *_ = nnx.split(abstract, is_trained, nnx.BatchStat, ...)
        return cls(graph, params, batch_stats, frozen, num_stages, stages_below_heads)

    def initial_state(self, optimizer: optax.GradientTransformation) -> TrainState:
        """Returns the state before the first step, in new arrays, because a step donates them."""
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=jax.tree.map(jnp.copy, self.params),
            batch_stats=jax.tree.map(jnp.copy, self.batch_stats),
            opt_state=optimizer.init(self.params),
            ema_params=jax.tree.map(jnp.copy, self.params),
        )


def _norms(encoder: Encoder) -> set[VariablePath]:
    """Returns the paths of an encoder's norms."""
    kinds = (nnx.LayerNorm, nnx.BatchNorm)
    return {path for path, node in nnx.iter_graph(encoder) if isinstance(node, kinds)}


def learning_rate(config: TrainConfig) -> optax.Schedule:
    """Returns the learning rate by step: a linear warm-up, then a cosine decay to zero."""
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.learning_rate,
        warmup_steps=min(config.warmup_steps, config.steps - 1),
        decay_steps=config.steps,
    )


def augmented_share(config: TrainConfig) -> optax.Schedule:
    """Returns the share of distorted pairs by step: a ramp, then `config.augmented`."""
    first = config.augmented / max(1, config.augment_ramp)
    return optax.linear_schedule(first, config.augmented, max(0, config.augment_ramp - 1))


def make_optimizer(config: TrainConfig, parts: ModelParts) -> optax.GradientTransformation:
    """Returns AdamW with clipped gradients and a separate learning rate for each stage.

    The layers after the encoder use the full rate, the encoder's last stage uses `layer_decay`
    times that, the stage before it uses `layer_decay` squared, and so on. If only norms are
    trained, all use the full rate. Weight decay applies to kernels only: norms and biases do not
    overfit.

    Args:
      config: Learning rates and their schedule.
      parts: Parts of the detector, which know the stage of each variable.
    """
    layer_decay = 1.0 if config.train == "norms" else config.layer_decay

    def scale_by_stage(updates: Any, params: Any = None) -> Any:
        del params
        return nnx.from_flat_state(
            [
                (path, variable.replace(variable[...] * layer_decay**stages))
                for path, variable in nnx.to_flat_state(updates)
                for stages in [parts.stages_below_heads(path)]
            ]
        )

    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.scale_by_adam(),
        optax.add_decayed_weights(
            config.weight_decay, mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params)
        ),
        optax.stateless(scale_by_stage),
        optax.scale_by_learning_rate(learning_rate(config)),
    )
