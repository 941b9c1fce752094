"""What follows the encoder: projection, a logit per frame, and an LSTM that corrects their mean."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.config import DetectorConfig
from dfjax.models.output import DetectorOutput

jax.tree_util.register_dataclass(
    DetectorOutput, data_fields=["frame_logits", "clip_logits"], meta_fields=[]
)


class LSTM(nnx.Module):
    """A long short-term memory over the frames that are present.

    At an absent frame the state is carried on unchanged, so a clip gives what it would give with
    that frame cut out.

    Source: Hochreiter and Schmidhuber, 1997; the forget gate's bias of 1 is from Jozefowicz et al.,
    "An Empirical Exploration of Recurrent Network Architectures", 2015.
    """

    def __init__(self, in_features: int, hidden_size: int, *, rngs: nnx.Rngs):
        self.hidden_size = hidden_size
        # The last axis holds four gates side by side: input, forget, candidate, output.
        glorot, orthogonal = nnx.initializers.glorot_uniform(), nnx.initializers.orthogonal()
        self.input_kernel = nnx.Param(_four(glorot, rngs, (in_features, hidden_size)))
        self.recurrent_kernel = nnx.Param(_four(orthogonal, rngs, (hidden_size, hidden_size)))
        self.bias = nnx.Param(
            jnp.asarray(np.repeat([0.0, 1.0, 0.0, 0.0], hidden_size), jnp.float32)
        )

    def __call__(self, x: jax.Array, frame_mask: jax.Array, *, reverse: bool = False) -> jax.Array:
        """Returns the state after each frame, float32 [B,T,hidden_size].

        Args:
          x: float32 [B,T,in_features].
          frame_mask: bool [B,T], True where the frame is present.
          reverse: Read the frames from the last to the first; the order of the result stays.
        """
        recurrent_kernel = self.recurrent_kernel[...]

        def step(
            carry: tuple[jax.Array, jax.Array], frame: tuple[jax.Array, jax.Array]
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            cell, hidden = carry
            projected, present = frame
            gates = projected + hidden @ recurrent_kernel
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            new_cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            new_hidden = jax.nn.sigmoid(o) * jnp.tanh(new_cell)
            cell = jnp.where(present, new_cell, cell)
            hidden = jnp.where(present, new_hidden, hidden)
            return (cell, hidden), hidden

        # All frames at once here; only the recurrence has to wait for the frame before.
        projected = jnp.einsum("bti,ig->tbg", x, self.input_kernel[...])
        projected += self.bias[...][None, None, :]
        present = frame_mask.T[:, :, None]
        zeros = jnp.zeros((x.shape[0], self.hidden_size), jnp.float32)
        _, states = jax.lax.scan(step, (zeros, zeros), (projected, present), reverse=reverse)
        return jnp.swapaxes(states, 0, 1)


def _four(init: nnx.Initializer, rngs: nnx.Rngs, shape: tuple[int, int]) -> jax.Array:
    """Returns four matrices, each initialised by itself, side by side: [shape[0], 4 * shape[1]]."""
    return jnp.concatenate([init(rngs.params(), shape, jnp.float32) for _ in range(4)], axis=-1)


class TemporalModel(nnx.Module):
    """From the encoder's features of each frame to logits; always in float32.

    The frame head sees one frame at a time, so the mean of its logits knows nothing of time, and a
    single picture trains it as well as a video does. The clip's logit is that mean plus a
    correction from an LSTM over the frames. It begins at zero: what the LSTM has not learnt, it
    cannot spoil. A clip of one frame has no motion, and gets no correction.
    """

    def __init__(self, in_features: int, config: DetectorConfig, *, rngs: nnx.Rngs):
        self.config = config
        # Over the features of one frame, so nothing depends on the rest of the batch.
        self.norm = nnx.LayerNorm(in_features, epsilon=1e-5, rngs=rngs)
        self.projection = nnx.Linear(in_features, config.projection_size, rngs=rngs)
        self.forward_lstm = LSTM(config.projection_size, config.hidden_size, rngs=rngs)
        self.backward_lstm = (
            LSTM(config.projection_size, config.hidden_size, rngs=rngs)
            if config.bidirectional
            else None
        )
        state_size = config.hidden_size * (2 if config.bidirectional else 1)
        self.frame_head = nnx.Linear(config.projection_size, 1, rngs=rngs)
        # No bias: a softmax does not see what is added to all of its inputs.
        self.attention = nnx.Linear(state_size, 1, use_bias=False, rngs=rngs)
        self.correction_head = nnx.Linear(
            state_size, 1, kernel_init=nnx.initializers.zeros, rngs=rngs
        )

    def __call__(
        self, features: jax.Array, frame_mask: jax.Array, *, key: jax.Array | None = None
    ) -> DetectorOutput:
        """Returns the logits; see `Detector.score_features`."""
        # Whatever stands at an absent frame, a NaN too, goes no further.
        features = jnp.where(frame_mask[:, :, None], features.astype(jnp.float32), 0.0)
        x = jax.nn.gelu(self.projection(self.norm(features)))
        if key is not None and self.config.dropout > 0:
            # One draw per clip, the same for all of its frames: neighbouring frames show nearly the
            # same, so features dropped in one only would be read from the next (Gal and Ghahramani,
            # 2016).
            keep = 1 - self.config.dropout
            kept = jax.random.bernoulli(key, keep, (x.shape[0], 1, x.shape[2]))
            x = jnp.where(kept, x / keep, 0.0)
        states = self.forward_lstm(x, frame_mask)
        if self.backward_lstm is not None:
            backward = self.backward_lstm(x, frame_mask, reverse=True)
            states = jnp.concatenate([states, backward], axis=-1)
        frame_logits = jnp.where(frame_mask, self.frame_head(x)[:, :, 0], 0.0)
        num_frames = jnp.sum(frame_mask, axis=1)
        mean = jnp.sum(frame_logits, axis=1) / jnp.maximum(num_frames, 1)
        # Zeros where a clip has no frame at all.
        weights = jax.nn.softmax(self.attention(states)[:, :, 0], where=frame_mask)
        pooled = jnp.einsum("bt,bth->bh", weights, states)
        correction = jnp.where(num_frames > 1, self.correction_head(pooled)[:, 0], 0.0)
        # The mean is not trained by the clip's label, which is wrong for the untouched frames of a
        # clip that is manipulated in part; frames have their own labels.
        return DetectorOutput(frame_logits, jax.lax.stop_gradient(mean) + correction)

    def weigh_correction(self, share: float) -> None:
        """Lets that share of the LSTM's correction count: its head is linear, and is multiplied."""
        self.correction_head.kernel[...] *= share
        bias = self.correction_head.bias
        assert bias is not None
        bias[...] *= share
