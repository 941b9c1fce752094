"""What a detector gives for a batch of clips. Without jax, for runtimes that have none."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class DetectorOutput:
    """Logits of a batch of clips; positive means fake. Arrays of jax or of numpy."""

    frame_logits: Any  # float32 [B,T]; 0 where the frame is absent
    clip_logits: Any  # float32 [B]
