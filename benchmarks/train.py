"""How fast training is: clips per second, the wait for data, the share of the peak that is used.

    python -m benchmarks.train --data DIR --weights DIR [--steps 30] [any field of TrainConfig]

Runs the loader and the step of `train.py` on prepared clips. The first steps, which compile and
fill the loader's queue, are not counted. The operations of a step are those that XLA counts in what
it compiled. The peak is what a large matrix product reaches on the same devices, in the same
precision, right before: the share is a ratio measured in one run, whatever a data sheet says.
"""

import dataclasses
import os
import time
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import tyro
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.faces import machine
from dfjax.config import Config
from dfjax.data.prepared import load_manifest
from dfjax.data.store import ClipStore
from dfjax.models.detector import Detector
from dfjax.models.encoders import load_encoder
from dfjax.train_config import TrainConfig
from dfjax.training.loader import Loader
from dfjax.training.state import ModelParts, make_optimizer
from dfjax.training.step import data_mesh, make_train_step

UNCOUNTED = 3
"""Steps before the clock starts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Measures the speed of training."""

    data: tuple[str, ...]
    """Prepared data sets."""

    weights: str = "microsoft/resnet-50"
    """Folder or Hub repository with the published ResNet-50 files."""

    workers: int = os.cpu_count() or 1
    """Threads that decode pictures."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(steps=30)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    config = arguments.train
    encoder = load_encoder(arguments.weights)
    parts_of_config = Config.from_dict(load_manifest(arguments.data[0])["config"])
    model_config = dataclasses.replace(parts_of_config, encoder=encoder.config)
    detector = Detector(model_config, rngs=nnx.Rngs(0), encoder=encoder)
    mesh = data_mesh()
    replicated = NamedSharding(mesh, PartitionSpec())
    parts = ModelParts.of(detector, config)
    optimizer = make_optimizer(config, parts)
    loader = Loader(
        ClipStore(arguments.data, "train"),
        config,
        mesh,
        image_size=model_config.crops.image_size,
        workers=arguments.workers,
    )
    state = jax.device_put(parts.initial_state(optimizer), replicated)
    frozen = jax.device_put(parts.frozen, replicated)
    key = jax.random.key(config.seed)
    step: Any = make_train_step(parts, optimizer, config, mesh)

    peak = matmul_rate(config.compute_dtype) * mesh.size
    flops, started, waited = 0.0, 0.0, 0.0
    for number, batch in enumerate(loader.batches(0)):
        if number == 0:
            step = step.lower(state, frozen, batch, key).compile()
            flops = step.cost_analysis()["flops"] * mesh.size
        if number == UNCOUNTED:
            jax.block_until_ready(state)
            started, waited = time.perf_counter(), loader.waited
        state, _ = step(state, frozen, batch, key)
    jax.block_until_ready(state)
    seconds = time.perf_counter() - started
    steps = config.steps - UNCOUNTED
    clips = 2 * config.pairs * steps
    frames = (2 * config.pairs * config.clip_frames + 2 * config.still_pairs) * steps
    print(f"{machine()}; JAX {jax.__version__}, {mesh.size} x {jax.devices()[0].device_kind}")
    print(f"crops of {model_config.crops.image_size} px, {config.compute_dtype}, {steps} steps")
    print(f"seconds per step          {seconds / steps:10.3f}")
    print(f"clips per second          {clips / seconds:10.2f}")
    print(f"frames per second         {frames / seconds:10.1f}")
    print(f"share of time waiting     {(loader.waited - waited) / seconds:10.1%}")
    print(f"GFLOP per step (XLA)      {flops / 1e9:10.1f}")
    print(f"GFLOP/s of a matmul       {peak / 1e9:10.1f}")
    print(f"share of that             {flops * steps / seconds / peak:10.1%}")


def matmul_rate(dtype: str, *, size: int | None = None, repeats: int = 5) -> float:
    """Returns the floating-point operations per second of a large square matrix product.

    Args:
      dtype: Of the matrices.
      size: Of a side; None: 2,048 on a CPU, 8,192 elsewhere.
      repeats: The fastest of so many is taken.
    """
    size = size or (2048 if jax.default_backend() == "cpu" else 8192)
    a = jnp.ones((size, size), dtype)
    multiply = jax.jit(jnp.matmul)
    jax.block_until_ready(multiply(a, a))
    fastest = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(multiply(a, a))
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * size**3 / fastest


if __name__ == "__main__":
    main()
