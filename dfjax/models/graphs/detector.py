"""A published detector as ONNX graphs: whole, and its two halves for an `Engine`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dfjax.config import Config
from dfjax.encoder_config import EncoderConfig, ResNetConfig
from dfjax.errors import ModelFormatError
from dfjax.head_config import DetectorConfig
from dfjax.models.graphs import resnet
from dfjax.models.graphs.temporal import add_temporal
from dfjax.models.tensor_table import TensorTable
from dfjax.runtimes.graph import Graph, Value


class _EncoderGraph(NamedTuple):
    """How an encoder is written: in two parts, of which only the second may be rounded."""

    add_start: Callable[[Graph, str, Any, TensorTable], str]  # see `dfjax.models.graphs.resnet`
    add_end: Callable[[Graph, str, Any, TensorTable], str]
    num_channels: Callable[[Any], int]  # of a config: between the two
    num_features: Callable[[Any], int]
    variable: Callable[[str, np.ndarray], tuple[tuple[str | int, ...], np.ndarray]]
    """Path and layout in the module of a tensor in files; see `dfjax.models.graphs.resnet`."""


_ENCODERS: Mapping[type[EncoderConfig], _EncoderGraph] = {
    ResNetConfig: _EncoderGraph(
        resnet.add_start,
        resnet.add_end,
        lambda config: config.widths[: resnet.EXACT_STAGES][-1],
        lambda config: config.widths[-1],
        resnet.variable,
    ),
}
"""Each encoder that can be written, by its config."""

_HEADS = {DetectorConfig: add_temporal}
"""What can be written of the rest, by its config."""


def variables(
    config: Config, tensors: Mapping[str, np.ndarray]
) -> dict[tuple[str | int, ...], np.ndarray]:
    """Returns the variables of `Detector` by their paths, in the types they are stored in.

    Args:
      config: The detector's.
      tensors: Its tensors, all of which fit the config.

    Raises:
      ModelFormatError: No graph is known for this encoder.
    """
    found: dict[tuple[str | int, ...], np.ndarray] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        path, value = tuple[str | int, ...](rest.split(".")), tensor
        if part == "encoder":
            path, value = _encoder(config).variable(rest, tensor)
        found[part, *path] = value
    return found


def count_features(config: Config) -> int:
    """Returns how many features the encoder gives for each crop.

    Raises:
      ModelFormatError: No graph is known for this encoder.
    """
    return _encoder(config).num_features(config.encoder)


def encoder_graph(config: Config, table: TensorTable) -> bytes:
    """Returns the graph of `Engine.encode`: `crops` to `features`.

    Args:
      config: The detector's.
      table: Its tensors; those of the encoder are taken.

    Raises:
      ModelFormatError: No graph is known for this encoder.
    """
    graph, size = Graph(), config.crops.image_size
    features = _add_encoder(graph, "crops", config, table)
    graph.add("Identity", features, name="features")
    return graph.model(
        [Value("crops", np.uint8, ("crops", size, size, 3))],
        [Value("features", np.float32, ("crops", count_features(config)))],
    )


def encoder_parts(config: Config, table: TensorTable) -> tuple[bytes, bytes]:
    """Returns the graph of `Engine.encode` in two parts, of which the second may be rounded.

    Args:
      config: As for `encoder_graph`.
      table: As for `encoder_graph`.

    Raises:
      ModelFormatError: As for `encoder_graph`.
    """
    encoder, size = _encoder(config), config.crops.image_size
    start, end = Graph(), Graph()
    start.add("Identity", _add_encoder_start(start, "crops", config, table), name="maps")
    end.add("Identity", encoder.add_end(end, "maps", config.encoder, table), name="features")
    channels, features = (
        count(config.encoder) for count in (encoder.num_channels, encoder.num_features)
    )
    maps = [Value("maps", np.float32, ("crops", channels, "height", "width"))]
    return (
        start.model([Value("crops", np.uint8, ("crops", size, size, 3))], maps),
        end.model(maps, [Value("features", np.float32, ("crops", features))]),
    )


def temporal_graph(config: Config, table: TensorTable) -> bytes:
    """Returns the graph of `Engine.score`: `features`, `frame_mask` to the logits.

    Args:
      config: The detector's.
      table: Its tensors; those after the encoder are taken.

    Raises:
      ModelFormatError: No graph is known for this encoder or this head.
    """
    graph = Graph()
    num_features = count_features(config)
    add_head = _known(_HEADS, config.detector)
    logits = add_head(graph, "features", "frame_mask", num_features, config.detector, table)
    graph.add("Identity", logits.frame_logits, name="frame_logits")
    graph.add("Identity", logits.clip_logits, name="clip_logits")
    return graph.model(
        [
            Value("features", np.float32, ("clips", "frames", num_features)),
            Value("frame_mask", np.bool_, ("clips", "frames")),
        ],
        _LOGITS,
    )


_LOGITS = [
    Value("frame_logits", np.float32, ("clips", "frames")),
    Value("clip_logits", np.float32, ("clips",)),
]


def detector_graph(
    config: Config,
    table: TensorTable,
    *,
    calibrations: Mapping[str, tuple[float, float]],
    metadata: Mapping[str, str],
) -> bytes:
    """Returns the whole detector: `clips`, `frame_mask` to probabilities and logits.

    Args:
      config: The detector's.
      table: Its tensors, all of which are taken.
      calibrations: Scale and bias of the clip logits, as "clips", and of the frame logits, as
        "frames".
      metadata: What the file says about itself.

    Raises:
      ModelFormatError: No graph is known for this encoder or this head, or the tensors do not fit
        the config.
    """
    graph, size = Graph(), config.crops.image_size
    num_features = count_features(config)
    crops = graph.add("Reshape", "clips", graph.sizes(-1, size, size, 3))
    features = _add_encoder(graph, crops, config, table)
    # By the clips' own number and the mask's frames: features fit these only if the mask has the
    # clips' frames, and then the mask itself only if it has their number.
    num_clips = graph.add("Shape", "clips", end=1)
    num_frames = graph.add("Shape", "frame_mask", start=1)
    shape = graph.add("Concat", num_clips, num_frames, graph.sizes(num_features), axis=0)
    features = graph.add("Reshape", features, shape)
    mask_shape = graph.add("Concat", num_clips, num_frames, axis=0)
    frame_mask = graph.add("Reshape", "frame_mask", mask_shape)
    add_head = _known(_HEADS, config.detector)
    logits = add_head(graph, features, frame_mask, num_features, config.detector, table)
    graph.add("Identity", logits.frame_logits, name="frame_logits")
    graph.add("Identity", logits.clip_logits, name="clip_logits")
    for output, of, (scale, bias) in (
        ("probability_fake", logits.clip_logits, calibrations["clips"]),
        ("frame_probabilities", logits.frame_logits, calibrations["frames"]),
    ):
        scaled = graph.add("Mul", of, graph.numbers(scale))
        graph.add("Sigmoid", graph.add("Add", scaled, graph.numbers(bias)), name=output)
    table.finish()
    return graph.model(
        [
            Value("clips", np.uint8, ("clips", "frames", size, size, 3)),
            Value("frame_mask", np.bool_, ("clips", "frames")),
        ],
        [
            Value("probability_fake", np.float32, ("clips",)),
            Value("frame_probabilities", np.float32, ("clips", "frames")),
            *_LOGITS,
        ],
        metadata=metadata,
    )


def _add_encoder(graph: Graph, crops: str, config: Config, table: TensorTable) -> str:
    """Adds normalisation and encoder; returns the name of the features, float32 [N,C]."""
    maps = _add_encoder_start(graph, crops, config, table)
    return _encoder(config).add_end(graph, maps, config.encoder, table)


def _add_encoder_start(graph: Graph, crops: str, config: Config, table: TensorTable) -> str:
    """Adds normalisation and the first part of the encoder."""
    encoder, statistics = _encoder(config), config.encoder.normalization
    x = graph.add("Div", graph.add("Cast", crops, to=1), graph.numbers(255.0))  # 1: float32
    x = graph.add("Sub", x, graph.numbers(*statistics.mean))
    x = graph.add("Div", x, graph.numbers(*statistics.std))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    return encoder.add_start(graph, x, config.encoder, table)


def _encoder(config: Config) -> _EncoderGraph:
    return _known(_ENCODERS, config.encoder)


def _known(writers: Mapping[Any, Any], config: Any) -> Any:
    """Returns the writer of a part of the model, by the part's config."""
    if type(config) not in writers:
        raise ModelFormatError(
            f"This model has a {type(config).__name__}. ONNX graphs can only be written of models "
            f"with a {' or '.join(kind.__name__ for kind in writers)} in its place: use the "
            "runtime jax, or export to StableHLO."
        )
    return writers[type(config)]
