"""A ResNet in plain numpy, from tensors with the names and the layout of `microsoft/resnet-50`."""

from collections.abc import Mapping

import numpy as np

from dfjax.encoder_config import ResNetConfig


def random_tensors(config: ResNetConfig, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns float32 tensors of such a file, the unused ones (classifier, counters) among them."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {
        "classifier.1.weight": np.zeros((5, config.widths[-1]), np.float32)
    }

    def add(name: str, inputs: int, outputs: int, size: int) -> None:
        kernel = rng.normal(size=(outputs, inputs, size, size)) * np.sqrt(2 / (inputs * size**2))
        values = {
            "convolution.weight": kernel,
            "normalization.weight": rng.uniform(0.5, 1.5, outputs),
            "normalization.bias": rng.normal(size=outputs) * 0.2,
            "normalization.running_mean": rng.normal(size=outputs) * 0.2,
            "normalization.running_var": rng.uniform(0.5, 1.5, outputs),
        }
        tensors.update({f"{name}.{key}": value.astype(np.float32) for key, value in values.items()})
        tensors[f"{name}.normalization.num_batches_tracked"] = np.array(7, np.int64)

    add("resnet.embedder.embedder", 3, config.embedding_size, 7)
    inputs = config.embedding_size
    for stage, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True)):
        for block in range(depth):
            name = f"resnet.encoder.stages.{stage}.layers.{block}"
            if block == 0:
                add(f"{name}.shortcut", inputs, width, 1)
            add(f"{name}.layer.0", inputs, width // 4, 1)
            add(f"{name}.layer.1", width // 4, width // 4, 3)
            add(f"{name}.layer.2", width // 4, width, 1)
            inputs = width
    return tensors


def pooled_features(
    tensors: Mapping[str, np.ndarray],
    config: ResNetConfig,
    images: np.ndarray,
    *,
    use_running_average: bool = True,
) -> np.ndarray:
    """Returns float64 [N,widths[-1]] for normalised images [N,H,W,3]."""

    def conv_norm(x: np.ndarray, name: str, *, stride: int = 1, relu: bool = True) -> np.ndarray:
        kernel = tensors[f"{name}.convolution.weight"].astype(np.float64)
        x = _convolve(x, kernel, stride)
        mean = tensors[f"{name}.normalization.running_mean"]
        variance = tensors[f"{name}.normalization.running_var"]
        if not use_running_average:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
        gain = tensors[f"{name}.normalization.weight"] / np.sqrt(variance + 1e-5)
        bias = tensors[f"{name}.normalization.bias"]
        x = (x - mean[:, None, None]) * gain[:, None, None] + bias[:, None, None]
        return np.maximum(x, 0) if relu else x

    x = conv_norm(images.transpose(0, 3, 1, 2), "resnet.embedder.embedder", stride=2)
    x = _windows(np.pad(x, _padding(1), constant_values=-np.inf), 3, 2).max((-2, -1))
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            name = f"resnet.encoder.stages.{stage}.layers.{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            y = conv_norm(x, f"{name}.layer.0")
            y = conv_norm(y, f"{name}.layer.1", stride=stride)
            y = conv_norm(y, f"{name}.layer.2", relu=False)
            if f"{name}.shortcut.convolution.weight" in tensors:
                x = conv_norm(x, f"{name}.shortcut", stride=stride, relu=False)
            x = np.maximum(x + y, 0)
    return x.mean((2, 3))


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest difference over the largest value."""
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def _convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    size = kernel.shape[-1]
    windows = _windows(np.pad(x, _padding(size // 2)), size, stride)
    return np.einsum("nihwyx,oiyx->nohw", windows, kernel, optimize=True)


def _windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows[:, :, ::stride, ::stride]


def _padding(width: int) -> tuple[tuple[int, int], ...]:
    return ((0, 0), (0, 0), (width, width), (width, width))
