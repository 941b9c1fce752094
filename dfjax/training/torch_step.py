"""The training step with the encoder by torch, for CPUs with matrix units that XLA leaves idle.

Pairs, distortions, heads and updates are those of `step`; see also `torch_encoder`.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax
from flax import nnx
from jax.sharding import Mesh

from dfjax.compiler_options import compiler_options
from dfjax.encoder_config import EncoderConfig, ResNetConfig
from dfjax.errors import TrainingError
from dfjax.extras import require_extra
from dfjax.models.detector import Detector
from dfjax.models.encoders.resnet import FoldedStages, ResNet
from dfjax.runtimes.runtime import num_threads
from dfjax.train_config import TrainConfig
from dfjax.training.examples import Examples
from dfjax.training.loader import Batch
from dfjax.training.state import ModelParts, TrainState
from dfjax.training.step import (
    TrainStep,
    batch_parts,
    examples_of,
    losses_of,
    pictures,
    update,
)


def make_torch_step(
    parts: ModelParts,
    optimizer: optax.GradientTransformation,
    config: TrainConfig,
    mesh: Mesh,
    encoder_config: EncoderConfig,
) -> TrainStep:
    """Returns a step that does what the one of `make_train_step` does, up to rounding.

    Args:
      parts: Parts of the detector.
      optimizer: From `make_optimizer`.
      config: How to train.
      mesh: From `data_mesh`.
      encoder_config: Of the detector's encoder.

    Raises:
      MissingExtraError: torch is not installed.
      TrainingError: The encoder is no ResNet, or there is not exactly one device, a CPU.
    """
    require_extra("torch", "--encoder-backend torch")
    if not isinstance(encoder_config, ResNetConfig):
        raise TrainingError(
            f"--encoder-backend is torch; this encoder is {encoder_config.type}, and torch is used "
            "for a ResNet only. Leave the option out."
        )
    kind = mesh.devices.flat[0].platform
    if mesh.size != 1 or kind != "cpu":
        raise TrainingError(
            f"--encoder-backend is torch, for a single CPU; here are {mesh.size} devices "
            f"({kind}). Leave the option out."
        )
    from dfjax.training.torch_encoder import TorchEncoder  # needs torch

    frozen_stages = parts.num_stages - config.trained_stages
    encoder = TorchEncoder(
        dtype=config.compute_dtype, frozen_stages=frozen_stages, num_threads=num_threads()
    )

    def detector_of(params: Any, state: TrainState, frozen: Any) -> Detector:
        return nnx.merge(parts.graph, params, state.batch_stats, frozen, copy=True)

    def folded(params: Any, state: TrainState, frozen: Any) -> FoldedStages:
        resnet = detector_of(params, state, frozen).encoder
        assert isinstance(resnet, ResNet)
        return resnet.folded()

    def begin(state: TrainState, frozen: Any, batch: Batch, key: jax.Array):
        detector = detector_of(state.params, state, frozen)
        key = jax.random.fold_in(key, state.step)
        part = jax.tree.map(lambda x: x[0], batch_parts(batch, config, key))
        clips, stills = examples_of(part, config, state.step)
        images, _ = pictures(clips, stills)
        stages = folded(state.params, state, frozen)
        return stages, detector.encoder.normalize(images), clips, stills, part.key

    def of_heads(
        state: TrainState,
        frozen: Any,
        features: jax.Array,
        clips: Examples | None,
        stills: Examples | None,
        key: jax.Array,
    ):
        def loss_fn(params: Any, features: jax.Array):
            detector = detector_of(params, state, frozen)
            losses = losses_of(detector, features, clips, stills, config, key)
            return losses["loss"], losses

        return jax.grad(loss_fn, argnums=(0, 1), has_aux=True)(state.params, features)

    def finish(
        state: TrainState,
        frozen: Any,
        grads: Any,
        of_layers: list[jax.Array],
        metrics: dict[str, jax.Array],
        batch_step: jax.Array,
    ):
        def trained(params: Any) -> list[jax.Array]:
            return jax.tree.leaves(folded(params, state, frozen)[frozen_stages:])

        _, pull_back = jax.vjp(trained, state.params)
        grads = optax.tree.add(grads, pull_back(of_layers)[0])
        return update(optimizer, config, state, grads, state.batch_stats, metrics, batch_step)

    begin, of_heads = _compiled(begin), _compiled(of_heads)
    finish = _compiled(finish, donate_argnums=0)

    def train_step(state: TrainState, frozen: Any, batch: Batch, key: jax.Array):
        stages, images, clips, stills, key = begin(state, frozen, batch, key)
        features = encoder.features(stages, images)
        (grads, of_features), metrics = of_heads(state, frozen, features, clips, stills, key)
        return finish(state, frozen, grads, encoder.gradients(of_features), metrics, batch.step)

    return train_step


def _compiled(run: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return jax.jit(run, compiler_options=compiler_options(), **options)
