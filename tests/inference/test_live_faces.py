"""When a stream is searched for faces, who is who in it, and what is said of each face.

Detector and model are stand-ins: faces are where a test says, and their pixels are their logits.
"""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfjax.config import CalibrationConfig, VideoConfig
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.inference.live import LiveScore, LiveScorer, _Window
from tests.tiny import TINY_CONFIG

CONFIG = dataclasses.replace(
    TINY_CONFIG,
    video=VideoConfig(num_frames=32),
    calibration=CalibrationConfig(scale=2.0, frame_scale=3.0),
)
SIDE = 60  # pixels, of a face


class _Engine:
    """Takes the middle pixel of a crop for its frame's logit, in tenths."""

    config = CONFIG
    digest = ""
    crops_per_batch = clips_per_batch = 1

    def encode(self, crops: np.ndarray) -> np.ndarray:
        return crops[:, 16, 16, :1].astype(np.float32) / 10

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> Any:
        logits = features[..., 0]
        means = (logits * frame_mask).sum(1) / frame_mask.sum(1)
        return SimpleNamespace(frame_logits=logits, clip_logits=means)


ENGINE: Any = _Engine()


class Scene(FaceDetector):
    """Finds faces at the given places when it searches, and those of them that it is asked for."""

    def __init__(self):
        self.lefts: Sequence[int] = ()
        self.sides: dict[int, int] = {}  # of faces at some places, pixels; `SIDE` for others
        self.scale = 1.0  # of the frames, and of all that is in them
        self.is_blind = False  # to all faces that it does not know of
        self.num_searches = 0

    def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
        self.num_searches += 1
        return [self._at([] if self.is_blind else self.lefts) for _ in frames]

    def refine(self, frames: Sequence[np.ndarray], places: Sequence[np.ndarray]) -> list[Faces]:
        asked = [set(boxes[:, 0].tolist()) for boxes in places]
        return [
            self._at([left for left in self.lefts if self.scale * left in of_frame])
            for of_frame in asked
        ]

    def _at(self, lefts: Sequence[int]) -> Faces:
        sides = np.array([self.sides.get(left, SIDE) for left in lefts], np.float32)
        corners = np.array([[left, 20] for left in lefts], np.float32).reshape(-1, 2)
        boxes = np.concatenate([corners, corners + sides[:, None]], axis=1)
        points = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]], "f4")
        points = (corners[:, None] + sides[:, None, None] * points) * self.scale
        return Faces(boxes * self.scale, points, np.full(len(lefts), 0.99, np.float32))


class Stream:
    """Frames in which faces are where a test says."""

    def __init__(self):
        self.scene, self.closer = Scene(), Scene()
        self.scorer = LiveScorer(ENGINE, self.closer, searcher=self.scene)

    def __call__(
        self,
        time: float,
        logits: dict[int, int],
        background: int = 0,
        size: tuple[int, int] = (120, 320),
        scale: float = 1.0,
    ) -> LiveScore:
        """Returns the score after a frame with faces at these places, with these tenths."""
        frame = np.full((*size, 3), background, np.uint8)
        for left, tenths in logits.items():
            frame[20 : 20 + SIDE, left : left + SIDE] = tenths
        rows, columns = ((np.arange(scale * side) / scale).astype(int) for side in size)
        for scene in (self.scene, self.closer):
            scene.lefts, scene.scale = [*logits], scale
        return self.scorer(frame[rows][:, columns], time)

    def ids(self, time: float, *lefts: int, **frame: Any) -> list[int]:
        score = self(time, dict.fromkeys(lefts, 5), **frame)
        return [face.id for face in score.faces]


@pytest.fixture
def stream() -> Stream:
    return Stream()


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_each_face_has_the_score_of_its_own_frames_and_all_together_the_highest(stream):
    *_, score = [stream(n / 12, {20: 10, 200: 6 if n == 24 else 5}) for n in range(25)]
    loud, quiet = score.faces
    assert loud.frame_probability == pytest.approx(_probability(3.0 * 1.0))
    assert quiet.frame_probability == pytest.approx(_probability(3.0 * 0.6))  # of this frame alone
    assert quiet.probability_fake == pytest.approx(_probability(2.0 * (24 * 0.5 + 0.6) / 25))
    assert loud.probability_fake == score.probability_fake == pytest.approx(_probability(2.0))


def test_boxes_are_whole_pixels_inside_the_frame(stream):
    (face,) = stream(0.0, {290: 5}).faces
    assert face.box_xyxy == (290, 20, 320, 20 + SIDE)
    (face,) = stream(1.0, {21: 5}, scale=0.75).faces
    assert face.box_xyxy == (16, 15, 61, 60)  # found at 15.75 to 60.75


def test_a_score_takes_two_seconds_however_many_frames_come():
    window, features = _Window(ENGINE), np.zeros(1, np.float32)
    for n in range(30):
        window.add(features, n / 12)
        assert window.is_enough == (n / 12 >= 2.0)


def test_who_appears_is_found_at_once_where_nobody_was(stream):
    assert [stream.ids(n / 25) for n in range(3)] == [[]] * 3
    assert stream.ids(3 / 25, 20) == [0]


def test_who_joins_others_is_found_within_eight_frames(stream):
    seen = [stream.ids(n / 25, *([20] if n < 2 else [20, 200])) for n in range(10)]
    assert seen == [[0]] * 8 + [[0, 1]] * 2


def test_where_nobody_is_small_faces_are_looked_for_once_a_second(stream):
    for n in range(25):
        stream.ids(n / 8)
    assert stream.closer.num_searches == 1 + 3


def test_a_search_loses_nobody_who_is_known(stream):
    assert stream.ids(0.0, 20) == [0]
    stream.scene.is_blind = True
    assert [stream.ids(n / 25, 20) for n in range(1, 20)] == [[0]] * 19


def test_after_one_of_two_faces_is_lost_the_next_frame_is_searched(stream):
    for n in range(3):
        stream.ids(n / 25, 20, 200)
    assert stream.ids(3 / 25, 20) == [0] and stream.scene.num_searches == 1
    assert stream.ids(4 / 25, 20, 230) == [0, 1] and stream.scene.num_searches == 2


@pytest.mark.parametrize("rate, num_away, again", [(25, 7, 0), (25, 9, 1), (2, 1, 0), (2, 2, 1)])
def test_a_face_may_be_away_for_eight_frames_or_a_second(stream, rate, num_away, again):
    assert stream.ids(0.0, 20) == [0]
    for n in range(1, 1 + num_away):
        assert stream.ids(n / rate) == []
    assert stream.ids((1 + num_away) / rate, 20) == [again]


def test_after_a_cut_everyone_is_new_and_stays_who_they_are(stream):
    seen = [stream.ids(n / 25, 20, background=0 if n < 3 else 200) for n in range(8)]
    assert seen == [[0]] * 3 + [[1]] * 5


@pytest.mark.parametrize("scale", [0.75, 1.25, 2.0])
def test_a_call_whose_picture_grows_or_shrinks_shows_whom_it_showed_at_the_same_place(
    stream, scale
):
    *_, before = [stream(n / 25, {200: 10}) for n in range(40)]
    for n in range(40, 46):
        after = stream(n / 25, {200: 10}, scale=scale)
        (face,) = after.faces
        assert face.id == 0
        assert face.box_xyxy == tuple(scale * edge for edge in before.faces[0].box_xyxy)
        assert face.frame_probability == pytest.approx(before.faces[0].frame_probability)
        assert after.probability_fake == pytest.approx(before.probability_fake)


def test_after_a_phone_is_turned_everyone_is_found_at_once_and_new(stream):
    seen = [stream.ids(n / 25, 20, size=(120, 320) if n < 3 else (320, 120)) for n in range(8)]
    assert seen == [[0]] * 3 + [[1]] * 5


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((120, 320), np.uint8),
        np.zeros((120, 320, 4), np.uint8),
        np.zeros((0, 320, 3), np.uint8),
        np.zeros((120, 320, 3)),
        np.zeros((320, 120, 3), np.int64),
        None,
    ],
    ids=["grey", "with alpha", "empty", "floating point", "turned and int64", "none"],
)
def test_what_is_no_picture_is_refused_and_leaves_the_stream_as_it_was(stream, frame):
    assert stream.ids(0.0, 20) == [0]
    with pytest.raises(ValueError, match=r"must be a non-empty numpy array, uint8 \[H,W,3\]"):
        stream.scorer(frame, 0.1)
    assert stream.ids(0.1, 20) == [0]


def test_the_two_largest_faces_are_judged_and_no_other_is_encoded(stream, monkeypatch):
    encoded, encode = [], ENGINE.encode
    monkeypatch.setattr(ENGINE, "encode", lambda crops: encoded.append(len(crops)) or encode(crops))
    stream.scene.sides = stream.closer.sides = {20: 44, 100: 60, 200: 52}
    score = stream(0.0, {20: 5, 100: 5, 200: 5})
    assert {face.box_xyxy[0]: face.reason for face in score.faces} == {
        20: "many",
        100: "waiting",
        200: "waiting",
    }
    assert encoded == [2]
