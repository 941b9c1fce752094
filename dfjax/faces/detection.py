"""Finds faces in frames: MTCNN's cascade of three networks, batched, on fixed shapes.

P-Net proposes boxes on an image pyramid, R-Net refines them on crops of 24 pixels, and O-Net on
crops of 48 pixels, where it also places five landmarks. Unlike in the paper, O-Net runs twice: the
second time on the boxes from its first run. On real clips this halves the jitter of boxes and
landmarks, and costs next to nothing. Between the networks, boxes are processed in numpy.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from dfjax.config import FaceConfig
from dfjax.faces.boxes import move_edges, suppress, to_squares
from dfjax.faces.networks import FaceNetworks, Scores
from dfjax.faces.pyramid import Canvas, choose_canvas, crop_square, make_canvases

NUM_FRAMES = 4
"""Frames that are worked on at the same time."""

_RNET_SIZE, _ONET_SIZE = 24, 48  # sides of the crops that the networks see, pixels

# Bounds on the cost of one frame, whatever it shows; the most confident are kept.
_MAX_WINDOWS = 256  # per pyramid level, that enter suppression
_MAX_PROPOSALS = 128  # that R-Net sees
_MAX_REFINED = 48  # that O-Net sees

# A box that overlaps a more confident one by more than this is taken for the same face.
_OVERLAP_IN_LEVEL = 0.5
_OVERLAP = 0.7


@dataclasses.dataclass(frozen=True)
class Faces:
    """The N faces of one frame, the most confident first."""

    boxes_xyxy: np.ndarray  # float32 [N,4], pixels, max exclusive; may exceed the frame slightly
    landmarks: np.ndarray  # float32 [N,5,2] xy: eyes, nose, mouth corners; the picture's left first
    confidences: np.ndarray  # float32 [N], in [0, 1]
    quarter_turns: int = 0  # to the left that the frame needed for its faces to be upright


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Frames that share a canvas, and what waits for P-Net's output for their sheets.

    None where P-Net has not been asked.
    """

    canvas: Canvas
    indices: list[int]  # of the frames
    frames: list[np.ndarray]  # as given
    pictures: list[Image.Image]  # scaled to the canvas, not padded
    result: Callable[[], Scores] | None = None


class FaceDetector:
    """MTCNN with the published weights, ready to be called on frames of any size."""

    def __init__(self, config: FaceConfig = FaceConfig(), *, networks: FaceNetworks | None = None):
        """Reads the weights.

        Args:
          config: How faces are looked for.
          networks: The three networks; None: those in JAX.

        Raises:
          ModelFormatError: The package `mtcnn`, which holds them, is missing or the wrong version.
        """
        if networks is None:
            # Imported here, so that jax is not where the networks run elsewhere.
            from dfjax.faces.jax_networks import JaxNetworks

            networks = JaxNetworks()
        self.config = config
        self._networks = networks

    def at_size(self, image_size: int) -> "FaceDetector":
        """Returns a detector with the same networks that looks at frames of another size.

        Args:
          image_size: As in `FaceConfig`.
        """
        config = dataclasses.replace(self.config, image_size=image_size)
        return FaceDetector(config, networks=self._networks)

    def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
        """Finds the faces of each frame.

        Args:
          frames: uint8 [H,W,3] RGB each, of any size.

        Returns:
          One `Faces` per frame. A frame's faces do not depend on the frames around it.

        Raises:
          ValueError: A frame has the wrong type or shape.
        """
        for index, frame in enumerate(frames):
            check_frame(frame, index)
        faces: dict[int, Faces] = {}
        waiting = None
        # P-Net works on one batch in other threads while numpy works on the previous batch.
        for batch in self._start_batches(frames):
            if waiting is not None:
                faces.update(self._finish_batch(waiting))
            waiting = batch
        if waiting is not None:
            faces.update(self._finish_batch(waiting))
        return [faces[index] for index in range(len(frames))]

    def refine(self, frames: Sequence[np.ndarray], places: Sequence[np.ndarray]) -> list[Faces]:
        """Finds faces near places in frames, at a fraction of the cost of `detect`.

        Only O-Net runs, twice as in `detect`: on the places, and on what it makes of them.

        Args:
          frames: As for `detect`.
          places: For each frame, boxes, float [N,4], pixels: where its faces may be, such as where
            they were last.

        Returns:
          One `Faces` per frame, which does not depend on the other frames.

        Raises:
          ValueError: As for `detect`.
        """
        for index, frame in enumerate(frames):
            check_frame(frame, index)
        faces: dict[int, Faces] = {}
        for canvas, indices in self._by_canvas(frames):
            chosen = [frames[index] for index in indices]
            batch = _Batch(canvas, indices, chosen, [canvas.fit(frame) for frame in chosen])
            squares = []
            for index, frame, picture in zip(indices, chosen, batch.pictures, strict=True):
                scale = np.divide(picture.size, frame.shape[1::-1], dtype=np.float32)
                boxes = np.asarray(places[index], np.float32).reshape(-1, 4) * np.tile(scale, 2)
                squares.append(_usable_squares(boxes, picture))
            faces |= self._locate(batch, self._narrow(_ONET_SIZE, batch, squares))
        return [faces[index] for index in range(len(frames))]

    def warm_up(self) -> None:
        """Compiles every shape that `detect` may need."""
        self._networks.warm_up([canvas.sheet_size for canvas in make_canvases(self.config)])

    def _start_batches(self, frames: Sequence[np.ndarray]) -> Iterator[_Batch]:
        """Sorts frames by canvas, and starts P-Net on one batch after another."""
        for canvas, indices in self._by_canvas(frames):
            chosen = [frames[index] for index in indices]
            pictures = [canvas.fit(frame) for frame in chosen]
            sheets = np.stack([canvas.sheet(picture) for picture in pictures])
            result = self._networks.start_pnet(sheets)
            yield _Batch(canvas, indices, chosen, pictures, result)

    def _by_canvas(self, frames: Sequence[np.ndarray]) -> Iterator[tuple[Canvas, list[int]]]:
        """Yields a few indices of frames at a time, with the canvas that they share."""
        by_canvas: dict[Canvas, list[int]] = {}
        for index, frame in enumerate(frames):
            by_canvas.setdefault(choose_canvas(frame, self.config), []).append(index)
        for canvas, members in by_canvas.items():
            for start in range(0, len(members), NUM_FRAMES):
                yield canvas, members[start : start + NUM_FRAMES]

    def _finish_batch(self, batch: _Batch) -> dict[int, Faces]:
        """Returns the faces of each frame of a batch, by the frame's index."""
        squares = self._read_proposals(batch)
        for size in (_RNET_SIZE, _ONET_SIZE):
            squares = self._narrow(size, batch, squares)
        return self._locate(batch, squares)

    def _narrow(self, size: int, batch: _Batch, squares: list[np.ndarray]) -> list[np.ndarray]:
        """Returns the squares, per frame, that the network for crops of a size makes of squares."""
        confidences, offsets, _ = self._score(size, batch, squares)
        narrowed = []
        for n, picture in enumerate(batch.pictures):
            sure = confidences[n] > self.config.thresholds[1]
            boxes = move_edges(squares[n][sure], offsets[n][sure])
            kept = suppress(
                boxes,
                confidences[n][sure],
                _OVERLAP,
                of_smaller=size == _ONET_SIZE,
                max_boxes=_MAX_REFINED,
            )
            narrowed.append(_usable_squares(boxes[kept], picture))
        return narrowed

    def _locate(self, batch: _Batch, squares: list[np.ndarray]) -> dict[int, Faces]:
        """Returns the faces that O-Net sees in squares, by the frame's index."""
        minimum_final = self.config.thresholds[2]
        confidences, offsets, landmarks = self._score(_ONET_SIZE, batch, squares)
        faces = {}
        for n, picture in enumerate(batch.pictures):
            sure = confidences[n] > minimum_final
            boxes = move_edges(squares[n][sure], offsets[n][sure])
            corners, opposite = np.split(squares[n][sure][:, None], 2, axis=2)
            points = corners + (opposite - corners) * landmarks[n][sure]
            kept = suppress(boxes, confidences[n][sure], _OVERLAP, of_smaller=True)
            kept = kept[_centre_inside(boxes[kept], picture)]
            sides = (boxes[kept, 2:] - boxes[kept, :2]).max(axis=1)
            kept = kept[sides >= self.config.min_face_size]
            scale = np.divide(batch.frames[n].shape[1::-1], picture.size, dtype=np.float32)
            faces[batch.indices[n]] = Faces(
                boxes_xyxy=boxes[kept] * np.tile(scale, 2),
                landmarks=points[kept] * scale,
                confidences=confidences[n][sure][kept],
            )
        return faces

    def _read_proposals(self, batch: _Batch) -> list[np.ndarray]:
        """Returns, per frame, the squares that P-Net proposes: float32 [N,4], canvas pixels."""
        assert batch.result is not None, "only `refine` does without P-Net"
        all_confidences, all_offsets = batch.result()
        levels, windows = batch.canvas.windows
        proposals = []
        for n, picture in enumerate(batch.pictures):
            cells = np.nonzero((all_confidences[n] > self.config.thresholds[0]) & (levels >= 0))
            confidences = all_confidences[n][cells]
            boxes = move_edges(windows[cells], all_offsets[n][cells])
            inside = _centre_inside(boxes, picture)
            survivors = []
            for level in range(len(batch.canvas.levels)):
                members = np.nonzero(inside & (levels[cells] == level))[0]
                order = np.argsort(-confidences[members], kind="stable")[:_MAX_WINDOWS]
                members = members[order]
                kept = suppress(boxes[members], confidences[members], _OVERLAP_IN_LEVEL)
                survivors.append(members[kept])
            members = np.concatenate(survivors)
            kept = suppress(
                boxes[members], confidences[members], _OVERLAP, max_boxes=_MAX_PROPOSALS
            )
            proposals.append(_usable_squares(boxes[members[kept]], picture))
        return proposals

    def _score(
        self, crop_size: int, batch: _Batch, squares: list[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Runs R-Net or O-Net on squares of each frame.

        Args:
          crop_size: Side of the crops that the network takes, pixels.
          batch: The frames.
          squares: Per frame, [N,4] in pixels of its scaled picture.

        Returns:
          Per frame: confidences [N]; offsets [N,4]; landmarks [N,5,2], zeros from R-Net.
        """
        crops = [
            np.asarray(crop_square(frame, picture, square, crop_size))
            for frame, picture, members in zip(batch.frames, batch.pictures, squares, strict=True)
            for square in members
        ]
        rows = [np.zeros((len(crops), *shape), np.float32) for shape in ((), (4,), (5, 2))]
        if crops:
            network = self._networks.rnet if crop_size == _RNET_SIZE else self._networks.onet
            for number, found in enumerate(network(np.stack(crops))):
                rows[number] = found
        ends = np.cumsum([len(members) for members in squares])[:-1]
        confidences, offsets, landmarks = (np.split(row, ends) for row in rows)
        return confidences, offsets, landmarks


def check_frame(frame: np.ndarray, index: int) -> None:
    """Checks that a frame is one.

    Args:
      frame: The frame.
      index: Names it in the error.

    Raises:
      ValueError: It has the wrong type or shape.
    """
    if not isinstance(frame, np.ndarray):
        found = type(frame).__name__
    elif frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        found = f"{frame.dtype} {list(frame.shape)}"
    else:
        return
    raise ValueError(
        f"Frame {index} is {found}; it must be a non-empty numpy array, uint8 [H,W,3], RGB. "
        "If the picture is grey, repeat its channel three times."
    )


def _centre_inside(boxes: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Returns which boxes [N,4] have their centre inside a picture: bool [N]."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.all((centres >= 0) & (centres < picture.size), axis=1)


def _usable_squares(boxes: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Returns the squares around boxes, without those that cannot hold a face."""
    squares = to_squares(boxes)
    sides = squares[:, 2] - squares[:, 0]
    # Offsets are unbounded: without a limit, a hostile picture could ask for a gigantic crop.
    usable = (sides >= 1) & (sides <= 2 * max(picture.size))
    return squares[usable & _centre_inside(squares, picture)]
