"""A transformer's layers one by one against `jax.lax.scan` over them: time to compile and to run.

    python -m benchmarks.layers [--layers 24] [--size 1024] [--batch 4]

Layers with random weights, 257 tokens each, as in CLIP's L/14 at 224 pixels.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.faces import machine
from dfjax.encoder_config import CLIPConfig
from dfjax.models.encoders.vit import Block

TOKENS = 257
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    config = CLIPConfig(
        hidden_size=options.size,
        num_layers=options.layers,
        num_heads=options.size // 64,
        mlp_size=4 * options.size,
    )
    rngs = nnx.Rngs(0)
    blocks = [nnx.split(Block(config, scaled=False, rngs=rngs)) for _ in range(options.layers)]
    graph = blocks[0][0]
    states = [state for _, state in blocks]
    tokens = jnp.zeros((options.batch, TOKENS, options.size))

    def one_by_one(states: list[nnx.State], tokens: jax.Array) -> jax.Array:
        for state in states:
            tokens = nnx.merge(graph, state)(tokens)
        return tokens

    def scanned(state: nnx.State, tokens: jax.Array) -> jax.Array:
        def layer(tokens: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
            return nnx.merge(graph, state)(tokens), None

        return jax.lax.scan(layer, tokens, state)[0]

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    print(f"{machine()}; {options.layers} layers, {options.batch} pictures")
    print("| | compile, s | run, s |\n|---|---|---|")
    for name, function, weights in (
        ("one by one", one_by_one, states),
        ("scan", scanned, stacked),
    ):
        print(f"| {name} | {_row(jax.jit(function), weights, tokens)} |", flush=True)


def _row(function: jax.stages.Wrapped, *arguments: object) -> str:
    started = time.perf_counter()
    compiled: Callable[..., jax.Array] = function.lower(*arguments).compile()
    compiling = time.perf_counter() - started
    runs = []
    for _ in range(TURNS):
        started = time.perf_counter()
        compiled(*arguments).block_until_ready()
        runs.append(time.perf_counter() - started)
    return f"{compiling:.2f} | {statistics.median(runs):.2f}"


if __name__ == "__main__":
    main()
