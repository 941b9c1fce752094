"""Training speed: clips per second, time spent waiting for data, and share of peak throughput.

    python -m benchmarks.train --data DIR --weights DIR [--steps 30] [any field of TrainConfig]

Runs the loader and the step of `train.py` on prepared clips. The first steps, which compile and
fill the loader's queue, are not counted. The number of operations per step is XLA's count for the
compiled step; with `--encoder-backend torch` there is none. The peak is the rate of a large matrix
product on the same devices in the same precision, measured just before; so the share is a measured
ratio and does not rely on a data sheet. Page faults say how much memory was taken from the system
anew.
"""

import dataclasses
import resource
import time
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import tyro

from benchmarks.faces import machine
from dfjax.data.prepared import load_manifest
from dfjax.memory import keep_freed
from dfjax.train_config import TrainConfig
from dfjax.training.opening import make_machinery
from dfjax.training.run_data import open_data
from dfjax.training.start import start

UNCOUNTED = 3
"""Steps before the clock starts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Measures the speed of training."""

    data: tuple[str, ...]
    """Prepared data sets, as for `train.py`."""

    weights: str = "microsoft/resnet-50"
    """Folder or Hub repository with the published ResNet-50 files, or with a dfjax model."""

    workers: int = 0
    """Number of threads for decoding pictures. 0: one per core."""

    keep_freed: bool = True
    """Keep freed memory for the next step, as train.py does."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(steps=30)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.keep_freed:
        keep_freed()
    config = arguments.train
    data = open_data(arguments.data, (), [load_manifest(source) for source in arguments.data])
    detector = start([arguments.weights], data.config, config.seed, new_crops=True).detector
    machinery = make_machinery(detector, data.store, config, workers=arguments.workers)
    loader, mesh = machinery.loader, machinery.mesh
    state, frozen = machinery.initial_state(), machinery.parts.frozen
    key = jax.random.key(config.seed)
    step: Any = machinery.step

    counted = config.encoder_backend == "jax"  # of others, XLA does not know the operations
    peak = matmul_rate(config.compute_dtype) * mesh.size
    flops, started, waited, faults = 0.0, 0.0, 0.0, 0
    for number, batch in enumerate(loader.batches(0)):
        if number == 0 and counted:
            step = step.lower(state, frozen, batch, key).compile()
            flops = step.cost_analysis()["flops"] * mesh.size
        if number == UNCOUNTED:
            jax.block_until_ready(state)
            started, waited, faults = time.perf_counter(), loader.waited, _page_faults()
        state, _ = step(state, frozen, batch, key)
    jax.block_until_ready(state)
    seconds, faults = time.perf_counter() - started, _page_faults() - faults
    steps = config.steps - UNCOUNTED
    clips = 2 * config.pairs * steps
    frames = (2 * config.pairs * config.clip_frames + 2 * config.still_pairs) * steps
    print(f"{machine()}; JAX {jax.__version__}, {mesh.size} x {jax.devices()[0].device_kind}")
    print(
        f"crops of {data.config.crops.image_size} px, encoder by {config.encoder_backend} in "
        f"{config.compute_dtype}, {steps} steps"
    )
    print(f"seconds per step          {seconds / steps:10.3f}")
    print(f"clips per second          {clips / seconds:10.2f}")
    print(f"frames per second         {frames / seconds:10.1f}")
    print(f"share of time waiting     {(loader.waited - waited) / seconds:10.1%}")
    print(f"page faults per step      {faults / steps:10.0f}")
    if counted:
        print(f"GFLOP per step (XLA)      {flops / 1e9:10.1f}")
        print(f"GFLOP/s of a matmul       {peak / 1e9:10.1f}")
        print(f"share of that             {flops * steps / seconds / peak:10.1%}")


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def matmul_rate(dtype: str, *, size: int | None = None, repeats: int = 5) -> float:
    """Returns the floating-point operations per second of a large square matrix product.

    Args:
      dtype: Type of the matrices.
      size: Number of rows and columns; None: 2,048 on a CPU, 8,192 elsewhere.
      repeats: Number of runs, of which the fastest counts.
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
