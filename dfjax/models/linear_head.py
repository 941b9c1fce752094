"""The smallest head: logits of frames from a linear layer, and a clip's from their mean."""

import jax
import jax.numpy as jnp
from flax import nnx

from dfjax.head_config import LinearHeadConfig
from dfjax.models.output import DetectorOutput
from dfjax.models.temporal import LSTMState


class LinearHead(nnx.Module):
    """Turns the features of each frame into a logit, without regard to the other frames.

    A clip's probability is the mean of those of its frames, before any calibration.
    """

    def __init__(self, in_features: int, config: LinearHeadConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.frame_head = nnx.Linear(in_features, 1, rngs=rngs)

    def __call__(
        self,
        features: jax.Array,
        frame_mask: jax.Array,
        *,
        key: jax.Array | None = None,
        past: LSTMState | None = None,
    ) -> DetectorOutput:
        """Returns the logits; see `Detector.score_features`. There is no dropout, and no memory."""
        del key, past
        # Whatever an absent frame contains, even NaN, must not have an effect.
        features = jnp.where(frame_mask[:, :, None], features.astype(jnp.float32), 0.0)
        if self.config.normalized:
            features = l2_normalized(features)
        frame_logits = jnp.where(frame_mask, self.frame_head(features)[:, :, 0], 0.0)
        # A clip without any frame gets the logit 0 of its absent ones.
        counted = frame_mask | ~jnp.any(frame_mask, axis=1, keepdims=True)
        of_fake, of_real = (
            jax.nn.logsumexp(jax.nn.log_sigmoid(sign * frame_logits), axis=1, where=counted)
            for sign in (1, -1)
        )
        return DetectorOutput(frame_logits, of_fake - of_real)

    def remember(self, features: jax.Array, frame_mask: jax.Array, past: LSTMState | None) -> None:
        """Remembers nothing; see `Detector.remember`."""
        del features, frame_mask, past


def l2_normalized(features: jax.Array) -> jax.Array:
    """Returns features [..., C] scaled to an L2 norm of 1; zeros stay zeros."""
    squares = jnp.sum(jnp.square(features), axis=-1, keepdims=True)
    # The root of zero has no gradient.
    return features * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))
