"""The output of a detector. Does not import jax, so that runtimes without it can use it."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class DetectorOutput:
    """Logits of a batch of clips, as jax or numpy arrays; positive means fake."""

    frame_logits: Any  # float32 [B,T]; 0 where the frame is absent
    clip_logits: Any  # float32 [B]
