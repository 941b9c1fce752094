"""A ResNet as nodes of a graph; `dfjax.models.encoders.resnet` defines it."""

import numpy as np

from dfjax.encoder_config import ResNetConfig
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.graph import Graph

EXACT_STAGES = 2
"""Stages of blocks that are always computed in float32.

Measured on the shipped model and the validation split: with the stem alone in float32, frame logits
are off by 0.033 (root mean square), with one stage as well by 0.010, with two by 0.004.
docs/runtimes.md says what that does to videos, and what it gains.
"""

_REDUCTION = 4  # block width over bottleneck width
_EPSILON = 1e-5

# From the published names of a layer's tensors to the path in the module's layer.
_LEAVES = {
    "convolution.weight": ("kernel",),
    "normalization.weight": ("normalization", "scale"),
    "normalization.bias": ("normalization", "bias"),
    "normalization.running_mean": ("normalization", "mean"),
    "normalization.running_var": ("normalization", "var"),
}
_OIHW_TO_HWIO = (2, 3, 1, 0)


def variable(name: str, tensor: np.ndarray) -> tuple[tuple[str | int, ...], np.ndarray]:
    """Returns the path in `ResNet` of a tensor in files, and the tensor in the layout of there.

    Args:
      name: As published: "resnet.encoder.stages.0.layers.1.layer.2.convolution.weight".
      tensor: As published.
    """
    words, leaf = name.split(".")[2:-2], ".".join(name.split(".")[-2:])
    place = [int(word) if word.isdigit() else word for word in words if word != "layers"]
    is_kernel = leaf == "convolution.weight"
    return (*place, *_LEAVES[leaf]), tensor.transpose(_OIHW_TO_HWIO) if is_kernel else tensor


def add_start(graph: Graph, images: str, config: ResNetConfig, table: TensorTable) -> str:
    """Adds the stem and the stages that must not be rounded.

    Args:
      graph: Gets the nodes.
      images: Name of normalised pictures, float32 [N,3,S,S].
      config: The shape of the network.
      table: Has its weights, under their published names with the prefix "encoder.".

    Returns:
      The name of the feature map, float32 [N,C,h,w].
    """
    layers = _Layers(graph, table)
    x = layers.conv(
        images, "encoder.resnet.embedder.embedder", 3, config.embedding_size, 7, stride=2
    )
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return layers.stages(x, config, range(len(config.depths))[:EXACT_STAGES])


def add_end(graph: Graph, x: str, config: ResNetConfig, table: TensorTable) -> str:
    """Adds the other stages; returns the name of the features, float32 [N,C].

    Args:
      graph: Gets the nodes.
      x: Name of the feature map of `add_start`.
      config: The shape of the network.
      table: As for `add_start`.
    """
    stages = range(len(config.depths))[EXACT_STAGES:]
    x = _Layers(graph, table).stages(x, config, stages)
    return graph.add("Flatten", graph.add("GlobalAveragePool", x))


class _Layers:
    """Adds the layers of a ResNet to a graph."""

    def __init__(self, graph: Graph, table: TensorTable):
        self._graph = graph
        self._table = table

    def stages(self, x: str, config: ResNetConfig, stages: range) -> str:
        """Adds some of the stages of blocks."""
        for stage in stages:
            width = config.widths[stage]
            num_in = config.widths[stage - 1] if stage > 0 else config.embedding_size
            for block in range(config.depths[stage]):
                stride = 2 if stage > 0 and block == 0 else 1
                name = f"encoder.resnet.encoder.stages.{stage}.layers.{block}"
                x = self.bottleneck(x, name, num_in, width, stride=stride)
                num_in = width
        return x

    def bottleneck(self, x: str, name: str, num_in: int, num_out: int, *, stride: int) -> str:
        """Adds three convolutions with a shortcut around them."""
        inner = num_out // _REDUCTION
        y = self.conv(x, f"{name}.layer.0", num_in, inner, 1)
        y = self.conv(y, f"{name}.layer.1", inner, inner, 3, stride=stride)
        y = self.conv(y, f"{name}.layer.2", inner, num_out, 1, relu=False)
        if num_in != num_out or stride != 1:
            x = self.conv(x, f"{name}.shortcut", num_in, num_out, 1, stride=stride, relu=False)
        return self._graph.add("Relu", self._graph.add("Add", x, y))

    def conv(
        self, x: str, name: str, num_in: int, num_out: int, size: int, *, stride=1, relu=True
    ) -> str:
        """Adds a convolution, its normalisation, and a ReLU if there is one."""
        graph, take = self._graph, self._table.take
        kernel = take(f"{name}.convolution.weight", (num_out, num_in, size, size))
        statistics = [
            take(f"{name}.normalization.{part}", (num_out,))
            for part in ("weight", "bias", "running_mean", "running_var")
        ]
        x = graph.add(
            "Conv",
            x,
            graph.weight(kernel),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
        )
        # Left as it is: runtimes put its scale into the kernel when they load the graph.
        x = graph.add("BatchNormalization", x, *map(graph.weight, statistics), epsilon=_EPSILON)
        return graph.add("Relu", x) if relu else x
