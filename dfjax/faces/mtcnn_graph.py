"""The three networks of MTCNN as ONNX graphs; `dfjax.faces.mtcnn` defines them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dfjax.faces.mtcnn_weights import read_weights
from dfjax.runtimes.graph import Graph, Value


def mtcnn_graphs(metadata: Mapping[str, str] | None = None) -> tuple[bytes, bytes, bytes]:
    """Returns P-Net, R-Net and O-Net.

    P-Net takes `sheets`, uint8 [N,H,W,3], the others `crops` of 24 and 48 pixels. All return
    `confidences` and `offsets`, and O-Net also `landmarks`, as the modules do.

    Args:
      metadata: What the files say about themselves.

    Raises:
      ModelFormatError: As for `read_weights`.
    """
    pnet, rnet, onet = read_weights()
    return _pnet(pnet, metadata), _rnet(rnet, metadata), _onet(onet, metadata)


def _pnet(arrays: Sequence[np.ndarray], metadata: Mapping[str, str] | None) -> bytes:
    layers = _Layers(arrays)
    graph = layers.graph
    x = layers.prelu(layers.conv(layers.normalized("sheets")))
    # Where a side is odd, the last window hangs over the edge, and takes what is there.
    x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    x = layers.prelu(layers.conv(x))
    x = layers.prelu(layers.conv(x))
    graph.add("Transpose", layers.conv(x), perm=[0, 2, 3, 1], name="offsets")
    layers.add_confidences(layers.conv(x))
    return graph.model(
        [Value("sheets", np.uint8, ("sheets", "height", "width", 3))],
        [
            Value("confidences", np.float32, ("sheets", "rows", "columns")),
            Value("offsets", np.float32, ("sheets", "rows", "columns", 4)),
        ],
        metadata=metadata,
    )


def _rnet(arrays: Sequence[np.ndarray], metadata: Mapping[str, str] | None) -> bytes:
    layers = _Layers(arrays)
    x = layers.prelu(layers.conv(layers.normalized("crops")))
    x = layers.prelu(layers.conv(layers.max_pool(x, 3, overhang=1)))
    x = layers.prelu(layers.conv(layers.max_pool(x, 3)))
    x = layers.prelu(layers.linear(layers.flatten_width_first(x)), has_pixels=False)
    layers.linear(x, name="offsets")
    layers.add_confidences(layers.linear(x))
    return layers.graph.model(
        [Value("crops", np.uint8, ("crops", 24, 24, 3))],
        [
            Value("confidences", np.float32, ("crops",)),
            Value("offsets", np.float32, ("crops", 4)),
        ],
        metadata=metadata,
    )


def _onet(arrays: Sequence[np.ndarray], metadata: Mapping[str, str] | None) -> bytes:
    layers = _Layers(arrays)
    graph = layers.graph
    x = layers.prelu(layers.conv(layers.normalized("crops")))
    x = layers.prelu(layers.conv(layers.max_pool(x, 3, overhang=1)))
    x = layers.prelu(layers.conv(layers.max_pool(x, 3)))
    x = layers.prelu(layers.conv(layers.max_pool(x, 2)))
    x = layers.prelu(layers.linear(layers.flatten_width_first(x)), has_pixels=False)
    layers.linear(x, name="offsets")
    # The published head gives five x, then five y.
    points = graph.add("Reshape", layers.linear(x), graph.sizes(-1, 2, 5))
    graph.add("Transpose", points, perm=[0, 2, 1], name="landmarks")
    layers.add_confidences(layers.linear(x))
    return graph.model(
        [Value("crops", np.uint8, ("crops", 48, 48, 3))],
        [
            Value("confidences", np.float32, ("crops",)),
            Value("offsets", np.float32, ("crops", 4)),
            Value("landmarks", np.float32, ("crops", 5, 2)),
        ],
        metadata=metadata,
    )


class _Layers:
    """Adds layers to a graph; each takes its parameters from the published arrays, in order."""

    def __init__(self, arrays: Sequence[np.ndarray]):
        self.graph = Graph()
        self._arrays: Iterator[np.ndarray] = iter(arrays)

    def normalized(self, pictures: str) -> str:
        """Scales pictures, uint8 [N,H,W,3], to float32 [N,3,H,W] in [-1, 1]."""
        graph = self.graph
        x = graph.add("Sub", graph.add("Cast", pictures, to=1), graph.numbers(127.5))  # 1: float32
        x = graph.add("Div", x, graph.numbers(128.0))
        return graph.add("Transpose", x, perm=[0, 3, 1, 2])

    def conv(self, x: str) -> str:
        """Adds a convolution without padding."""
        kernel = next(self._arrays).transpose(3, 2, 0, 1)  # HWIO to OIHW
        weights = self.graph.weight(kernel), self.graph.weight(next(self._arrays))
        return self.graph.add("Conv", x, *weights, kernel_shape=kernel.shape[2:])

    def linear(self, x: str, *, name: str | None = None) -> str:
        """Adds a linear layer."""
        kernel, bias = (self.graph.weight(next(self._arrays)) for _ in range(2))
        return self.graph.add("Add", self.graph.add("MatMul", x, kernel), bias, name=name)

    def prelu(self, x: str, *, has_pixels: bool = True) -> str:
        """Adds a PReLU with a slope for each channel."""
        slopes = next(self._arrays).reshape((-1, 1, 1) if has_pixels else -1)
        return self.graph.add("PRelu", x, self.graph.weight(slopes))

    def max_pool(self, x: str, size: int, *, overhang: int = 0) -> str:
        """Adds a pooling of every second window; the last may hang over the lower right edge."""
        pads = [0, 0, overhang, overhang]
        return self.graph.add("MaxPool", x, kernel_shape=[size] * 2, strides=[2, 2], pads=pads)

    def flatten_width_first(self, x: str) -> str:
        """Adds the order in which the networks, trained on columns of pixels, flatten."""
        x = self.graph.add("Transpose", x, perm=[0, 3, 2, 1])
        return self.graph.add("Flatten", x)

    def add_confidences(self, logits: str) -> None:
        """Adds the output `confidences`: the second of two softmax probabilities over axis 1."""
        real, face = (
            self.graph.add("Gather", logits, self.graph.weight(np.array(index)), axis=1)
            for index in (0, 1)
        )
        self.graph.add("Sigmoid", self.graph.add("Sub", face, real), name="confidences")
