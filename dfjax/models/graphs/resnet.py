"""A ResNet as nodes of a graph; `dfjax.models.encoders.resnet` defines it."""

from dfjax.encoder_config import ResNetConfig
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.graph import Graph

_REDUCTION = 4  # block width over bottleneck width
_EPSILON = 1e-5


def add_resnet(graph: Graph, images: str, config: ResNetConfig, table: TensorTable) -> str:
    """Adds a ResNet, and returns the name of its features, float32 [N,C].

    Args:
      graph: Gets the nodes.
      images: Name of normalised pictures, float32 [N,3,S,S].
      config: The shape of the network.
      table: Has its weights, under their published names with the prefix "encoder.".
    """
    layers = _Layers(graph, table)
    x = layers.conv(
        images, "encoder.resnet.embedder.embedder", 3, config.embedding_size, 7, stride=2
    )
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = config.embedding_size
    for stage, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True)):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            name = f"encoder.resnet.encoder.stages.{stage}.layers.{block}"
            x = layers.bottleneck(x, name, channels, width, stride=stride)
            channels = width
    return graph.add("Flatten", graph.add("GlobalAveragePool", x))


class _Layers:
    """Adds the layers of a ResNet to a graph."""

    def __init__(self, graph: Graph, table: TensorTable):
        self._graph = graph
        self._table = table

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
