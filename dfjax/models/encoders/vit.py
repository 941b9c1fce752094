"""Vision transformers: the layers that those of CLIP and of DINOv2 have in common.

A picture is cut into square patches. Each becomes a token with a position of its own, beside a
class token whose features, after the last layer, stand for the whole picture.

Matrix products compute in `compute_dtype`; the tokens between them, norms and the attention's
softmax stay in float32, because CLIP has features a hundred times as large as the others.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021.
"""

import dataclasses
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.encoder_config import ViTConfig
from dfjax.models.encoders.base import Encoder
from dfjax.models.encoders.vit_files import resampled_positions
from dfjax.models.tensors import VariablePath

ViTConfigT = TypeVar("ViTConfigT", bound=ViTConfig)


class PatchEmbedding(nnx.Module):
    """Turns the pixels of each patch into a token, with one matrix for all patches."""

    def __init__(self, config: ViTConfig, *, use_bias: bool, rngs: nnx.Rngs):
        self.compute_dtype = config.compute_dtype
        shape = (config.patch_size, config.patch_size, 3, config.hidden_size)
        self.kernel = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(config.hidden_size)) if use_bias else None

    def __call__(self, images: jax.Array) -> jax.Array:
        """Returns float32 [N,h,w,hidden_size] for pictures [N,S,S,3]."""
        kernel = self.kernel[...].astype(self.compute_dtype)
        count, height, width, _ = images.shape
        side = kernel.shape[0]
        patches = images.astype(self.compute_dtype).reshape(
            count, height // side, side, width // side, side, 3
        )
        tokens = jnp.einsum(
            "nhywxc,yxcf->nhwf", patches, kernel, preferred_element_type=jnp.float32
        )
        return tokens if self.bias is None else tokens + self.bias[...][None, None, None]


class Attention(nnx.Module):
    """Self-attention with several heads.

    Source: Vaswani et al., "Attention Is All You Need", 2017.
    """

    def __init__(self, config: ViTConfig, *, rngs: nnx.Rngs):
        self.num_heads = config.num_heads
        self.query, self.key, self.value, self.out = (
            _linear(config, config.hidden_size, config.hidden_size, rngs) for _ in range(4)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns [N,T,hidden_size] in the compute dtype, for tokens of the same shape."""
        heads = (*x.shape[:2], self.num_heads, -1)
        query, key, value = (
            linear(x).reshape(heads) for linear in (self.query, self.key, self.value)
        )
        return self.out(jax.nn.dot_product_attention(query, key, value).reshape(x.shape))


class Block(nnx.Module):
    """A layer: attention between the tokens, then a perceptron on each."""

    def __init__(self, config: ViTConfig, *, scaled: bool, rngs: nnx.Rngs):
        """Makes a layer.

        Args:
          config: Its shape.
          scaled: Whether the outputs of attention and perceptron are scaled per feature (Touvron et
            al., "Going deeper with Image Transformers", ICCV 2021).
          rngs: Source of randomness for the initial weights.
        """
        self.activation = config.activation
        self.norm1, self.norm2 = (layer_norm(config, rngs) for _ in range(2))
        self.attention = Attention(config, rngs=rngs)
        self.fc1 = _linear(config, config.hidden_size, config.mlp_size, rngs)
        self.fc2 = _linear(config, config.mlp_size, config.hidden_size, rngs)
        self.scale1, self.scale2 = (
            nnx.Param(jnp.ones(config.hidden_size)) if scaled else None for _ in range(2)
        )

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Returns float32 [N,T,hidden_size] for tokens of the same shape."""
        tokens += _scaled(self.attention(self.norm1(tokens)), self.scale1)
        hidden = self.fc1(self.norm2(tokens))
        if self.activation == "quick_gelu":
            hidden *= jax.nn.sigmoid(1.702 * hidden)  # as CLIP was trained
        else:
            hidden = jax.nn.gelu(hidden, approximate=False)
        return tokens + _scaled(self.fc2(hidden), self.scale2)


class VisionTransformer(Encoder[ViTConfigT]):
    """A vision transformer as an encoder; its features are those of the class token.

    The embedding is its first stage, and each layer is one more.
    """

    embeds_batches: ClassVar[bool] = False  # whether embeddings in its files begin with batch axes

    def __init__(
        self,
        config: ViTConfigT,
        *,
        patch_bias: bool,
        norm_before: bool,
        scaled: bool,
        rngs: nnx.Rngs,
    ):
        """Makes a transformer.

        Args:
          config: Its shape.
          patch_bias: Whether the patch embedding has a bias.
          norm_before: Whether tokens are normalised before the first layer.
          scaled: As for `Block`.
          rngs: Source of randomness for the initial weights.
        """
        self.config = config
        self.patches = PatchEmbedding(config, use_bias=patch_bias, rngs=rngs)
        num_tokens, features = 1 + config.grid_size**2, config.hidden_size
        shape = (1, num_tokens, features) if self.embeds_batches else (num_tokens, features)
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape, jnp.float32))
        shape = (1, 1, features) if self.embeds_batches else (features,)
        self.class_token = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape, jnp.float32))
        self.norm_before = layer_norm(config, rngs) if norm_before else None
        self.blocks = nnx.List(
            [Block(config, scaled=scaled, rngs=rngs) for _ in range(config.num_layers)]
        )
        self.norm = layer_norm(config, rngs)

    @property
    def num_features(self) -> int:
        """Number of features of a token."""
        return self.config.hidden_size

    @property
    def num_stages(self) -> int:
        """Number of stages: the embedding and the layers."""
        return 1 + self.config.num_layers

    def stage_of(self, path: VariablePath) -> int:
        """Returns 0 for the embedding, and 1 or more for the layers; the last has the last norm."""
        match path:
            case ("patches" | "class_token" | "positions" | "norm_before", *_):
                return 0
            case ("blocks", int(layer), *_) if layer < self.config.num_layers:
                return 1 + layer
            case ("norm", *_):
                return self.config.num_layers
            case _:
                raise ValueError(f"a {type(self).__name__} has no variable {path}.")

    @classmethod
    def resized(
        cls, config: ViTConfigT, tensors: dict[str, np.ndarray], image_size: int, where: str
    ) -> tuple[ViTConfigT, dict[str, np.ndarray]]:
        """Returns config and tensors for pictures of another size: the positions are resampled."""
        del where
        config = dataclasses.replace(config, image_size=image_size)
        name = cls.published(("positions",)).name
        if name in tensors:
            positions = resampled_positions(tensors[name], config.grid_size)
            tensors = tensors | {name: positions}
        return config, tensors

    def feature_map(
        self,
        images: jax.Array,
        *,
        use_running_average: bool = True,
        image_mask: jax.Array | None = None,
        frozen_stages: int = 0,
    ) -> jax.Array:
        """Returns the features of the patches, float32 [N,S/patch,S/patch,num_features]."""
        del use_running_average, image_mask, frozen_stages  # no norm here keeps statistics
        tokens = self.norm(self._tokens(images)[:, 1:])
        grid = self.config.grid_size
        return tokens.reshape(-1, grid, grid, self.num_features)

    def __call__(self, images: jax.Array, **options: Any) -> jax.Array:
        """Returns the features of the class token, float32 [N,num_features]."""
        del options  # as in `feature_map`
        return self.norm(self._tokens(images)[:, 0])

    def _tokens(self, images: jax.Array) -> jax.Array:
        """Returns the tokens after the last layer, float32 [N,1+patches,hidden_size]."""
        patches = self.patches(images)
        tokens = patches.reshape(patches.shape[0], -1, self.config.hidden_size)
        first = self.class_token[...].reshape(1, 1, -1)
        first = jnp.broadcast_to(first, (tokens.shape[0], *first.shape[1:]))
        tokens = jnp.concatenate([first, tokens], axis=1)
        tokens += self.positions[...].reshape(1, *tokens.shape[1:])
        if self.norm_before is not None:
            tokens = self.norm_before(tokens)
        # Not `jax.lax.scan`: it compiles a second faster and runs more slowly (docs/models.md), and
        # wants the weights of all layers in one array, which files do not have.
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


def layer_norm(config: ViTConfig, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Returns a norm over a token's features, in float32."""
    return nnx.LayerNorm(
        config.hidden_size,
        epsilon=config.norm_epsilon,
        dtype=jnp.float32,
        use_fast_variance=False,  # it cancels where one feature is much larger than the others
        rngs=rngs,
    )


def _linear(config: ViTConfig, inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(inputs, outputs, dtype=jnp.dtype(config.compute_dtype), rngs=rngs)


def _scaled(x: jax.Array, scale: nnx.Param | None) -> jax.Array:
    """Returns the output of a part of a layer as float32, scaled per feature if it has a scale."""
    x = x.astype(jnp.float32)
    return x if scale is None else x * scale[...][None, None]
