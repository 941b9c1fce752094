"""The layers after the encoder as nodes of a graph; `dfjax.models.temporal` defines them."""

import math
from typing import NamedTuple

import numpy as np

from dfjax.head_config import DetectorConfig
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.graph import Graph, Value

_EPSILON = 1e-5


class ClipValues(NamedTuple):
    """Names of what is known of a batch of clips."""

    frame_logits: str  # float32 [B,T]; 0 where the frame is absent
    clip_logits: str  # float32 [B]


def add_temporal(
    graph: Graph,
    features: str,
    frame_mask: str,
    num_features: int,
    config: DetectorConfig,
    table: TensorTable,
) -> ClipValues:
    """Adds projection, frame head and LSTM; absent frames have no effect.

    Args:
      graph: Gets the nodes.
      features: Name of the encoder's features, float32 [B,T,num_features].
      frame_mask: Name of a mask, bool [B,T], True where the frame is present.
      num_features: Per frame.
      config: The shape of the layers.
      table: Has their weights, with the prefix "temporal.".
    """
    add, zero = graph.add, graph.numbers(0.0)
    present = add("Unsqueeze", frame_mask, graph.sizes(2))
    x = add("Where", present, features, zero)
    scale, offset = (
        graph.weight(table.take(f"temporal.norm.{part}", (num_features,)))
        for part in ("scale", "bias")
    )
    x = add("LayerNormalization", x, scale, offset, axis=-1, epsilon=_EPSILON)
    x = _linear(graph, x, "projection", num_features, config.projection_size, table)
    x = _gelu(graph, x)

    frame_logits = _linear(graph, x, "frame_head", config.projection_size, 1, table)
    frame_logits = add("Squeeze", frame_logits, graph.sizes(2))
    frame_logits = add("Where", frame_mask, frame_logits, zero)
    as_numbers = add("Cast", frame_mask, to=1)  # float32
    num_frames = add("ReduceSum", as_numbers, graph.sizes(1), keepdims=0)
    total = add("ReduceSum", frame_logits, graph.sizes(1), keepdims=0)
    mean = add("Div", total, add("Max", num_frames, graph.numbers(1.0)))

    pooled, size = _pooled_states(graph, x, frame_mask, config, table)
    correction = _linear(graph, pooled, "correction_head", size, 1, table)
    correction = add("Squeeze", correction, graph.sizes(1))
    several = add("Greater", num_frames, graph.numbers(1.0))
    correction = add("Where", several, correction, zero)
    return ClipValues(frame_logits, add("Add", mean, correction))


def _pooled_states(
    graph: Graph, x: str, frame_mask: str, config: DetectorConfig, table: TensorTable
) -> tuple[str, int]:
    """Adds the LSTM and the attention; returns the mean state, [B,size], and its size."""
    add = graph.add
    sequence = add("Transpose", x, perm=[1, 0, 2])
    present = add("Unsqueeze", add("Transpose", frame_mask, perm=[1, 0]), graph.sizes(2))
    names = ["forward_lstm", "backward_lstm"] if config.bidirectional else ["forward_lstm"]
    states = [
        _lstm(graph, sequence, present, name, config, table, reverse=name == "backward_lstm")
        for name in names
    ]
    size = config.hidden_size * len(names)
    joined = add("Concat", *states, axis=2) if len(states) > 1 else states[0]
    joined = add("Transpose", joined, perm=[1, 0, 2])  # [B,T,size]

    kernel = graph.weight(table.take("temporal.attention.kernel", (size, 1)))
    attention = add("Squeeze", add("MatMul", joined, kernel), graph.sizes(2))
    # A softmax over the frames that are present; all zeros if there is none.
    lowest = graph.numbers(float(np.finfo(np.float32).min))
    attention = add("Where", frame_mask, attention, lowest)
    highest = add("ReduceMax", attention, axes=[1], keepdims=1)
    powers = add("Exp", add("Sub", attention, highest))
    powers = add("Where", frame_mask, powers, graph.numbers(0.0))
    # The highest of all gives 1, so the sum is less only without any frame.
    total = add("Max", add("ReduceSum", powers, graph.sizes(1), keepdims=1), graph.numbers(1.0))
    weights = add("Unsqueeze", add("Div", powers, total), graph.sizes(1))
    return add("Squeeze", add("MatMul", weights, joined), graph.sizes(1)), size


def _lstm(
    graph: Graph,
    sequence: str,
    present: str,
    name: str,
    config: DetectorConfig,
    table: TensorTable,
    *,
    reverse: bool,
) -> str:
    """Adds an LSTM, and returns the state after each frame, [T,B,hidden_size].

    Written as a loop: ONNX's own LSTM takes a length for each clip but no mask, and OpenVINO
    ignores that length where the size of the batch is not fixed.

    Args:
      graph: Gets the nodes.
      sequence: Name of the input, float32 [T,B,projection_size].
      present: Name of the mask, bool [T,B,1].
      name: Of the LSTM in the table.
      config: The shape of the layers.
      table: Has the weights.
      reverse: Read the frames from last to first.
    """
    size = config.hidden_size
    kernel, recurrent_kernel, bias = (
        table.take(f"temporal.{name}.{part}", shape)
        for part, shape in (
            ("input_kernel", (config.projection_size, 4 * size)),
            ("recurrent_kernel", (size, 4 * size)),
            ("bias", (4 * size,)),
        )
    )
    projected = graph.add("MatMul", sequence, graph.weight(kernel))
    projected = graph.add("Add", projected, graph.weight(bias))
    # [B,size] of zeros: the batch is the second size of the sequence.
    batch = graph.add("Slice", graph.add("Shape", sequence), graph.sizes(1), graph.sizes(2))
    shape = graph.add("Concat", batch, graph.sizes(size), axis=0)
    zeros = graph.add("Expand", graph.numbers(0.0), shape)

    step = Graph(f"{name}_")
    # A weight of the loop itself: OpenVINO refuses loops that see what the graph around computes.
    recurrent = step.add("MatMul", "hidden", step.weight(recurrent_kernel.astype(np.float32)))
    gates = step.add("Add", "projected", recurrent)
    i, f, g, o = (
        step.add("Slice", gates, *(step.sizes(n) for n in (gate * size, (gate + 1) * size, 1)))
        for gate in range(4)
    )
    kept = step.add("Mul", step.add("Sigmoid", f), "cell")
    new_cell = step.add("Add", kept, step.add("Mul", step.add("Sigmoid", i), step.add("Tanh", g)))
    new_hidden = step.add("Mul", step.add("Sigmoid", o), step.add("Tanh", new_cell))
    step.add("Where", "present", new_cell, "cell", name="next_cell")
    step.add("Where", "present", new_hidden, "hidden", name="next_hidden")
    step.add("Identity", "next_hidden", name="state")

    row = ("batch", size)
    return graph.scan(
        step,
        [
            Value("cell", np.float32, row),
            Value("hidden", np.float32, row),
            Value("projected", np.float32, ("batch", 4 * size)),
            Value("present", np.bool_, ("batch", 1)),
        ],
        [Value(name, np.float32, row) for name in ("next_cell", "next_hidden", "state")],
        states=[zeros, zeros],
        sequences=[projected, present],
        reverse=reverse,
    )


def _linear(graph: Graph, x: str, name: str, num_in: int, num_out: int, table: TensorTable) -> str:
    kernel = graph.weight(table.take(f"temporal.{name}.kernel", (num_in, num_out)))
    bias = graph.weight(table.take(f"temporal.{name}.bias", (num_out,)))
    return graph.add("Add", graph.add("MatMul", x, kernel), bias)


def _gelu(graph: Graph, x: str) -> str:
    """Adds `jax.nn.gelu`, the form with tanh, which ONNX has only since operators of version 20."""
    cube = graph.add("Mul", graph.add("Mul", x, x), x)
    inner = graph.add("Add", x, graph.add("Mul", cube, graph.numbers(0.044715)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.numbers(math.sqrt(2 / math.pi))))
    half = graph.add("Mul", x, graph.numbers(0.5))
    return graph.add("Mul", half, graph.add("Add", tanh, graph.numbers(1.0)))
