"""ResNet v1.5 with bottleneck blocks: turns each picture into a feature vector.

The order of layers and the names of attributes follow the published `microsoft/resnet-50`, so that
`resnet_files` needs only a short table to read its files.

Source: He et al., "Deep Residual Learning for Image Recognition", 2015; in v1.5 the stride is in
the 3x3 convolution instead of the first 1x1.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.encoder_config import EncoderConfig, ResNetConfig
from dfjax.models.encoders import resnet_files
from dfjax.models.encoders.base import Encoder
from dfjax.models.tensors import PublishedTensor, VariablePath

_REDUCTION = 4  # block width over bottleneck width

FoldedStages = list[list[list[tuple[jax.Array, jax.Array]]]]
"""By stage, from the stem, and block: a kernel and an offset for each layer, any shortcut last."""


class ConvNorm(nnx.Module):
    """A convolution without bias, batch normalisation and optional ReLU.

    The convolution computes in `compute_dtype`. Parameters, statistics and the normalisation itself
    stay in float32: bfloat16 would round variances by up to 0.4% in each of fifty layers.
    """

    offset: nnx.Param | None = None  # per channel, once the normalisation is in the kernel

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        relu: bool = True,
        compute_dtype: str,
        rngs: nnx.Rngs,
    ):
        self.kernel_size = kernel_size
        self.stride = stride
        self.relu = relu
        self.compute_dtype = compute_dtype
        shape = (kernel_size, kernel_size, in_channels, out_channels)
        # He initialisation (2015) with fan-out. Drawn as a matrix, because a four-dimensional draw
        # takes XLA four times as long to compile.
        drawn = jax.random.normal(rngs.params(), (math.prod(shape[:3]), out_channels), jnp.float32)
        deviation = math.sqrt(2 / (kernel_size**2 * out_channels))
        self.kernel = nnx.Param(deviation * drawn.reshape(shape))
        # torch's momentum of 0.1 is the weight of the new value; flax's is that of the old one.
        self.normalization = nnx.BatchNorm(
            out_channels, momentum=0.9, epsilon=1e-5, dtype=jnp.float32, rngs=rngs
        )

    def fold(self) -> None:
        """Puts the normalisation into the kernel and an offset; see `Encoder.fold`."""
        norm = self.normalization
        assert norm.scale is not None and norm.bias is not None
        # In numpy: nothing has to be compiled for it.
        gain, bias, mean, variance = (
            np.asarray(values[...]) for values in (norm.scale, norm.bias, norm.mean, norm.var)
        )
        scale = gain / np.sqrt(variance + np.float32(norm.epsilon))
        self.kernel = nnx.Param(np.asarray(self.kernel[...]) * scale)
        self.offset = nnx.Param(bias - mean * scale)
        del self.normalization

    def __call__(
        self, x: jax.Array, *, use_running_average: bool, mask: jax.Array | None
    ) -> jax.Array:
        """Returns [N,H,W,C] in the compute dtype.

        Args:
          x: [N,H,W,C] in the compute dtype.
          use_running_average: As in `Encoder.feature_map`.
          mask: bool [N,1,1,1], pictures to include in the batch's statistics; None: all.
        """
        if use_running_average:
            kernel, offset = self.kernel_and_offset()
            x = self._convolve(x, kernel.astype(self.compute_dtype)) + offset[None, None, None]
        else:
            x = self._convolve(x, self.kernel[...].astype(self.compute_dtype))
            x = self.normalization(x, use_running_average=False, mask=mask)
        if self.relu:
            x = jax.nn.relu(x)
        return x.astype(self.compute_dtype)

    def kernel_and_offset(self) -> tuple[jax.Array, jax.Array]:
        """Returns a kernel, [h,w,in,out], and an offset, [out], with the running statistics.

        Known statistics make the normalisation a scale and an offset per channel. With the scale in
        the kernel, gradients on a CPU take three quarters of the time.
        """
        if self.offset is not None:
            return self.kernel[...], self.offset[...]
        norm = self.normalization
        assert norm.scale is not None and norm.bias is not None
        scale = norm.scale[...] * jax.lax.rsqrt(norm.var[...] + norm.epsilon)
        return self.kernel[...] * scale[None, None, None], norm.bias[...] - norm.mean[...] * scale

    def _convolve(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        if self.kernel_size == 1:
            # A matrix product makes the whole network a fifth faster on a CPU than XLA's 1x1
            # convolution, which first copies its input into patches.
            return jnp.einsum("nhwi,io->nhwo", x[:, :: self.stride, :: self.stride], kernel[0, 0])
        # Symmetric padding, as in torch. At stride 2, XLA's "SAME" pads only the far side, which
        # shifts the picture by a pixel.
        padding = self.kernel_size // 2
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(self.stride, self.stride),
            padding=((padding, padding), (padding, padding)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )


class Bottleneck(nnx.Module):
    """Three convolutions (1x1, 3x3, 1x1) with a shortcut around them."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        compute_dtype: str,
        rngs: nnx.Rngs,
    ):
        inner = out_channels // _REDUCTION
        common: dict[str, Any] = {"compute_dtype": compute_dtype, "rngs": rngs}
        changes_shape = in_channels != out_channels or stride != 1
        self.shortcut = (
            ConvNorm(in_channels, out_channels, 1, stride=stride, relu=False, **common)
            if changes_shape
            else None
        )
        self.layer = nnx.List(
            [
                ConvNorm(in_channels, inner, 1, **common),
                ConvNorm(inner, inner, 3, stride=stride, **common),
                ConvNorm(inner, out_channels, 1, relu=False, **common),
            ]
        )

    def __call__(
        self, x: jax.Array, *, use_running_average: bool, mask: jax.Array | None
    ) -> jax.Array:
        """Returns [N,H,W,out_channels]; see `ConvNorm.__call__` for the arguments."""
        residual = x
        if self.shortcut is not None:
            residual = self.shortcut(x, use_running_average=use_running_average, mask=mask)
        for layer in self.layer:
            x = layer(x, use_running_average=use_running_average, mask=mask)
        return jax.nn.relu(x + residual)


class ResNet(Encoder[ResNetConfig]):
    """A ResNet as an encoder; its features are averaged over the picture.

    The stem is its first stage. The running variance is updated with the batch's variance computed
    with n in the denominator; torch uses n - 1.
    """

    config_class: ClassVar[type[EncoderConfig]] = ResNetConfig
    published_types: ClassVar[tuple[str, ...]] = (resnet_files.MODEL_TYPE,)

    def __init__(self, config: ResNetConfig, *, rngs: nnx.Rngs):
        self.config = config
        common: dict[str, Any] = {"compute_dtype": config.compute_dtype, "rngs": rngs}
        self.embedder = ConvNorm(3, config.embedding_size, 7, stride=2, **common)
        stages = []
        in_channels = config.embedding_size
        for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True)):
            blocks = []
            for block in range(depth):
                # The stem's pooling has already halved the pictures for the first stage.
                stride = 2 if index > 0 and block == 0 else 1
                blocks.append(Bottleneck(in_channels, width, stride=stride, **common))
                in_channels = width
            stages.append(nnx.List(blocks))
        self.stages = nnx.List(stages)

    @property
    def num_features(self) -> int:
        """Number of channels of the last stage."""
        return self.config.widths[-1]

    @property
    def num_stages(self) -> int:
        """Number of stages: the stem and the stages of blocks."""
        return 1 + len(self.config.depths)

    def stage_of(self, path: VariablePath) -> int:
        """Returns 0 for the stem's variables, and 1 or more for those of the blocks."""
        match path:
            case ("embedder", *_):
                return 0
            case ("stages", int(stage), *_) if stage < len(self.config.depths):
                return 1 + stage
            case _:
                raise ValueError(f"a ResNet has no variable {path}.")

    @classmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        """Returns the name and layout of the variable in `microsoft/resnet-50`."""
        return resnet_files.published_tensor(path)

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> EncoderConfig:
        """Returns the config for files in the format of `microsoft/resnet-50`."""
        return resnet_files.read_published_config(values, where)

    @classmethod
    def known_name(cls, name: str) -> str | None:
        """Returns the name; None if it is of the classifier or one of torch's counters."""
        return resnet_files.known_name(name)

    def folded(self) -> FoldedStages:
        """Returns the kernels and offsets of all layers, with the running statistics in them."""
        stages: FoldedStages = [[[self.embedder.kernel_and_offset()]]]
        for stage in self.stages:
            blocks = []
            for block in stage:
                layers = [*block.layer, *([] if block.shortcut is None else [block.shortcut])]
                blocks.append([layer.kernel_and_offset() for layer in layers])
            stages.append(blocks)
        return stages

    def fold(self) -> None:
        """Puts all norms into the kernels; see `Encoder.fold`."""
        for _, module in nnx.iter_modules(self):
            if isinstance(module, ConvNorm):
                module.fold()

    def feature_map(
        self,
        images: jax.Array,
        *,
        use_running_average: bool = True,
        image_mask: jax.Array | None = None,
        frozen_stages: int = 0,
    ) -> jax.Array:
        """Returns [N,H/32,W/32,num_features], rounded up, in the compute dtype."""
        mask = None if image_mask is None else image_mask[:, None, None, None]
        x = images.astype(self.config.compute_dtype)
        frozen = use_running_average or frozen_stages > 0
        x = self.embedder(x, use_running_average=frozen, mask=mask)
        padding: Any = ((1, 1), (1, 1))  # Any, because nnx annotates this argument as str only
        x = nnx.max_pool(x, (3, 3), (2, 2), padding)
        for index, stage in enumerate(self.stages, start=1):
            frozen = use_running_average or index < frozen_stages
            for block in stage:
                x = block(x, use_running_average=frozen, mask=mask)
        return x
