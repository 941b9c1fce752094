"""Configs of what follows the encoder. Without jax."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from dfjax.checks import Checked, require, require_within


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadConfig(Checked):
    """What follows the encoder, from the features of frames to logits. Its kinds are subclasses."""

    @classmethod
    def from_json_fields(cls, values: Mapping[str, Any]) -> "tuple[type[Checked], dict[str, Any]]":
        """Returns the subclass that `type` names; files without one have an LSTM."""
        fields = dict(values)
        name = fields.pop("type", None)
        known = {None: DetectorConfig, LinearHeadConfig.type: LinearHeadConfig}
        require(
            isinstance(name, str | None) and name in known,
            f"the detector's type is {name!r}; {LinearHeadConfig.type!r} or none is needed. "
            "Was it written by a newer dfjax?",
        )
        return known[name], fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorConfig(HeadConfig):
    """Shape of what follows the encoder: projection, LSTM over frames, frame and clip heads."""

    projection_size: int = 256  # features per frame that enter the LSTM
    hidden_size: int = 128  # features of the LSTM's state, per direction
    bidirectional: bool = True  # whether the LSTM also reads the frames from the last to the first
    dropout: float = 0.2  # share of projected features dropped while training

    def __post_init__(self):
        """Checks ranges; a model must not make unbounded demands on its user's machine."""
        super().__post_init__()
        for name in ("projection_size", "hidden_size"):
            require_within(self, name, 1, 65_536)
        require(
            0 <= self.dropout < 1,
            f"DetectorConfig.dropout is {self.dropout}; it must lie in [0, 1).",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearHeadConfig(HeadConfig):
    """A linear layer on each frame's features; a clip's probability is the mean of its frames'."""

    type: ClassVar[str] = "linear"

    normalized: bool = True  # whether features are first scaled to an L2 norm of 1

    def extra_json_fields(self) -> dict[str, Any]:
        """Returns the type, by which this class is found again."""
        return {"type": self.type}
