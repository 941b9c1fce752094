"""A ResNet's features and their gradients by torch, which uses a CPU's matrix units (AMX).

XLA hands the convolutions of a CPU to code that does not. Everything else of a step stays with JAX.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import torch
from torch.nn import functional

from dfjax.models.encoders.resnet import FoldedStages

_Layer = tuple[torch.Tensor, torch.Tensor]  # kernel [h,w,in,out] and offset [out]


class TorchEncoder:
    """Computes the features of one batch at a time, and then how they change with the weights."""

    def __init__(
        self, *, dtype: Literal["float32", "bfloat16"], frozen_stages: int, num_threads: int
    ):
        """Sets the number of threads that torch uses in this process.

        Args:
          dtype: What is computed with. Weights and their gradients are float32 in any case.
          frozen_stages: Number of stages, from the stem, that need no gradients.
          num_threads: For torch.
        """
        self._dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
        self._frozen_stages = frozen_stages
        self._features: torch.Tensor | None = None
        self._trained: list[torch.Tensor] = []
        torch.set_num_threads(num_threads)

    def features(self, stages: FoldedStages, images: jax.Array) -> jax.Array:
        """Returns the features of pictures, float32 [N,C], and keeps what `gradients` needs.

        Args:
          stages: Of the encoder, from `ResNet.folded`.
          images: float32 [N,S,S,3], as returned by `Encoder.normalize`.
        """
        leaves = jax.tree.map(_to_torch, stages)
        self._trained = jax.tree.leaves(leaves[self._frozen_stages :])
        for leaf in self._trained:
            leaf.requires_grad_()
        # A view: the pictures lie in memory as torch's format "channels last" has them.
        x = _to_torch(images).permute(0, 3, 1, 2).to(self._dtype)
        for index, blocks in enumerate(leaves):
            with torch.set_grad_enabled(index >= self._frozen_stages):
                x = self._stem(x, blocks[0][0]) if index == 0 else self._stage(x, blocks, index)
        features = x.float().mean((2, 3))
        self._features = features
        return _to_jax(features.detach())

    def gradients(self, of_features: jax.Array) -> list[jax.Array]:
        """Returns the loss's gradients by the trained stages' kernels and offsets.

        Args:
          of_features: float32 [N,C], the loss's gradient by the features returned last.

        Returns:
          The leaves of `FoldedStages` without the frozen stages, in their order.
        """
        assert self._features is not None
        features, trained = self._features, self._trained
        self._features, self._trained = None, []
        if not trained:
            return []
        found = torch.autograd.grad(features, trained, _to_torch(of_features))
        return [_to_jax(gradient) for gradient in found]

    def _stem(self, x: torch.Tensor, layer: _Layer) -> torch.Tensor:
        x = functional.relu_(self._convolve(x, layer, stride=2))
        return functional.max_pool2d(x, 3, 2, 1)

    def _stage(self, x: torch.Tensor, blocks: list[list[_Layer]], index: int) -> torch.Tensor:
        for block, (first, second, third, *shortcut) in enumerate(blocks):
            stride = 2 if index > 1 and block == 0 else 1
            residual = self._convolve(x, shortcut[0], stride=stride) if shortcut else x
            x = functional.relu_(self._convolve(x, first))
            x = functional.relu_(self._convolve(x, second, stride=stride))
            x = functional.relu_(self._convolve(x, third) + residual)
        return x

    def _convolve(self, x: torch.Tensor, layer: _Layer, *, stride: int = 1) -> torch.Tensor:
        kernel, offset = (part.to(self._dtype) for part in layer)
        # From XLA's order of axes to torch's, which lies in memory as "channels last".
        kernel = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, kernel, offset, stride, kernel.shape[-1] // 2)


def _to_torch(array: jax.Array) -> Any:
    return torch.from_dlpack(array.block_until_ready())


def _to_jax(tensor: torch.Tensor) -> jax.Array:
    return jnp.from_dlpack(tensor.contiguous())
