"""The layers after the encoder: projection, frame logits, and an LSTM that corrects their mean."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.head_config import DetectorConfig
from dfjax.models.output import DetectorOutput

jax.tree_util.register_dataclass(
    DetectorOutput, data_fields=["frame_logits", "clip_logits"], meta_fields=[]
)


class LSTMState(NamedTuple):
    """What an LSTM remembers of the frames that it has read."""

    cell: jax.Array  # float32 [B,hidden_size]
    hidden: jax.Array  # float32 [B,hidden_size]


class LSTM(nnx.Module):
    """A long short-term memory over the frames that are present.

    At an absent frame the state is passed on unchanged, so the result is the same as if that frame
    were cut out of the clip.

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

    def __call__(
        self,
        x: jax.Array,
        frame_mask: jax.Array,
        *,
        past: LSTMState | None = None,
        reverse: bool = False,
    ) -> tuple[jax.Array, LSTMState]:
        """Returns what is put out after each frame, and the state after the last one.

        Args:
          x: float32 [B,T,in_features].
          frame_mask: bool [B,T], True where the frame is present.
          past: The state before the first frame; None: there was nothing before.
          reverse: Read the frames from last to first; the result keeps their original order.

        Returns:
          float32 [B,T,hidden_size], and the state after the frame that was read last.
        """
        recurrent_kernel = self.recurrent_kernel[...]

        def step(
            carry: LSTMState, frame: tuple[jax.Array, jax.Array]
        ) -> tuple[LSTMState, jax.Array]:
            cell, hidden = carry
            projected, present = frame
            gates = projected + hidden @ recurrent_kernel
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            new_cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            new_hidden = jax.nn.sigmoid(o) * jnp.tanh(new_cell)
            cell = jnp.where(present, new_cell, cell)
            hidden = jnp.where(present, new_hidden, hidden)
            return LSTMState(cell, hidden), hidden

        # The input projection handles all frames at once; only the recurrence is sequential.
        projected = jnp.einsum("bti,ig->tbg", x, self.input_kernel[...])
        projected += self.bias[...][None, None, :]
        present = frame_mask.T[:, :, None]
        if past is None:
            zeros = jnp.zeros((x.shape[0], self.hidden_size), jnp.float32)
            past = LSTMState(zeros, zeros)
        last, states = jax.lax.scan(step, past, (projected, present), reverse=reverse)
        return jnp.swapaxes(states, 0, 1), last


def _four(init: nnx.Initializer, rngs: nnx.Rngs, shape: tuple[int, int]) -> jax.Array:
    """Returns four separately initialised matrices side by side: [shape[0], 4 * shape[1]]."""
    return jnp.concatenate([init(rngs.params(), shape, jnp.float32) for _ in range(4)], axis=-1)


class TemporalModel(nnx.Module):
    """Turns the encoder's features of each frame into logits; always in float32.

    The frame head sees one frame at a time, so the mean of its logits contains no temporal
    information, and single pictures train it as well as videos do. The clip's logit is that mean
    plus a correction from an LSTM over the frames. The correction starts at zero, so an untrained
    LSTM does no harm. A clip of one frame has no motion and gets no correction.
    """

    def __init__(self, in_features: int, config: DetectorConfig, *, rngs: nnx.Rngs):
        self.config = config
        # Normalises the features of each frame separately, so the rest of the batch has no effect.
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
        # No bias: adding a constant to all inputs of a softmax has no effect.
        self.attention = nnx.Linear(state_size, 1, use_bias=False, rngs=rngs)
        self.correction_head = nnx.Linear(
            state_size, 1, kernel_init=nnx.initializers.zeros, rngs=rngs
        )

    def __call__(
        self,
        features: jax.Array,
        frame_mask: jax.Array,
        *,
        key: jax.Array | None = None,
        past: LSTMState | None = None,
    ) -> DetectorOutput:
        """Returns the logits; see `Detector.score_features`."""
        x = self._project(features, frame_mask)
        if key is not None and self.config.dropout > 0:
            # One draw per clip, shared by all of its frames: neighbouring frames are so similar
            # that a feature dropped in only one could be read from the next (Gal and Ghahramani,
            # 2016).
            keep = 1 - self.config.dropout
            kept = jax.random.bernoulli(key, keep, (x.shape[0], 1, x.shape[2]))
            x = jnp.where(kept, x / keep, 0.0)
        # The correction does not train what it reads. Videos show far fewer people than pictures
        # do, and an encoder that may learn from it overfits to these people instead.
        read = jax.lax.stop_gradient(x)
        states, _ = self.forward_lstm(read, frame_mask, past=past)
        if self.backward_lstm is not None:
            backward, _ = self.backward_lstm(read, frame_mask, reverse=True)
            states = jnp.concatenate([states, backward], axis=-1)
        frame_logits = jnp.where(frame_mask, self.frame_head(x)[:, :, 0], 0.0)
        num_frames = jnp.sum(frame_mask, axis=1)
        mean = jnp.sum(frame_logits, axis=1) / jnp.maximum(num_frames, 1)
        # All zeros for a clip without any present frame.
        weights = jax.nn.softmax(self.attention(states)[:, :, 0], where=frame_mask)
        pooled = jnp.einsum("bt,bth->bh", weights, states)
        correction = jnp.where(num_frames > 1, self.correction_head(pooled)[:, 0], 0.0)
        # The mean is not trained by the clip's label, which is wrong for the real frames of a
        # partial fake; frames have their own labels.
        return DetectorOutput(frame_logits, jax.lax.stop_gradient(mean) + correction)

    def remember(
        self, features: jax.Array, frame_mask: jax.Array, past: LSTMState | None = None
    ) -> LSTMState:
        """Returns the forward LSTM's state after frames; see `Detector.remember`."""
        _, last = self.forward_lstm(self._project(features, frame_mask), frame_mask, past=past)
        return last

    def _project(self, features: jax.Array, frame_mask: jax.Array) -> jax.Array:
        """Returns what heads and LSTMs read of each frame: float32 [B,T,projection_size]."""
        # Whatever an absent frame contains, even NaN, must not have an effect.
        features = jnp.where(frame_mask[:, :, None], features.astype(jnp.float32), 0.0)
        return jax.nn.gelu(self.projection(self.norm(features)))

    def weigh_correction(self, share: float) -> None:
        """Scales the LSTM's correction by `share`, by scaling the weights of its linear head."""
        self.correction_head.kernel[...] *= share
        bias = self.correction_head.bias
        assert bias is not None
        bias[...] *= share
