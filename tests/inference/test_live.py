"""A stream scored frame by frame against the same frames scored at once."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from dfjax.config import CalibrationConfig, Config, TrackConfig, VideoConfig
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.tracks import FaceTracker
from dfjax.inference import live
from dfjax.inference.engine import FaceLogits, score_faces
from dfjax.inference.evidence import FaceFrames, evidence_of, video_logit
from dfjax.inference.jax_engine import JaxEngine
from dfjax.inference.live import LiveScorer
from dfjax.inference.probabilities import probabilities
from dfjax.models.detector import Detector
from dfjax.models.temporal import TemporalModel
from tests.evaluation.clips import EVIDENCE
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG, TINY_RESNET
from tests.videos import portrait_frames

NUM_FRAMES = 32  # of a window
CONFIG = dataclasses.replace(TINY_CONFIG, video=VideoConfig(num_frames=NUM_FRAMES))


class WindowsOnly:
    """An engine that remembers nothing between the windows."""

    def __init__(self, engine: JaxEngine):
        self.config, self.encode, self.score = engine.config, engine.encode, engine.score
        self.digest = engine.digest
        self.crops_per_batch = self.clips_per_batch = 1


def engine_of(config: Config) -> JaxEngine:
    detector = filled(lambda rngs: Detector(config, rngs=rngs))
    # An untrained correction is zero, and would hide what the LSTM does.
    assert isinstance(detector.temporal, TemporalModel)
    kernel = detector.temporal.correction_head.kernel
    kernel[...] = np.linspace(-2, 2, kernel[...].size).reshape(kernel[...].shape)
    return JaxEngine(detector, crops_per_batch=1)


@pytest.fixture(scope="module")
def engine() -> JaxEngine:
    return engine_of(CONFIG)


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(TINY_CONFIG.faces)


@pytest.fixture(scope="module")
def searcher() -> FaceDetector:
    return live.live_searcher(FaceDetector(TINY_CONFIG.faces))


@pytest.fixture
def scorer(engine, face_detector, searcher) -> LiveScorer:
    return LiveScorer(engine, face_detector, searcher=searcher)


@pytest.fixture(scope="module")
def features(engine) -> np.ndarray:
    size = NUM_FRAMES + 12, TINY_RESNET.widths[-1]
    return np.random.default_rng(0).normal(size=size).astype("f4")


def window_of(engine, features: np.ndarray) -> live._Window:
    window = live._Window(engine)
    for n, row in enumerate(features):
        window.add(row, n / 8)
    return window


def assert_close(one: FaceLogits, other: FaceLogits):
    np.testing.assert_allclose(one.frame_logits, other.frame_logits, atol=1e-5)
    assert one.clip_logit == pytest.approx(other.clip_logit, abs=1e-5)


def test_while_all_frames_are_in_the_window_the_logits_are_those_of_their_clip(engine, features):
    for num in (1, 2, 5, NUM_FRAMES):
        (clip,) = score_faces(engine, [features[:num]], [np.arange(num)])
        for kind in (engine, WindowsOnly(engine)):
            assert_close(window_of(kind, features[:num]).logits(), clip)


def test_a_stream_remembered_frame_by_frame_leaves_the_state_of_the_whole_scan(engine, features):
    whole = engine.remember(features)
    past = engine.remember(features[:1])
    for row in features[1:]:
        past = engine.remember(row[None], past)
    for one, other in zip(past, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    # The window's own frames are not yet in what came before it.
    window = window_of(engine, features)
    for one, other in zip(window._past, engine.remember(features[:-NUM_FRAMES]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_forward_lstm_knows_what_came_before_the_window(engine, features):
    last = features[-NUM_FRAMES:]
    present = np.ones(NUM_FRAMES, bool)
    with_past = window_of(engine, features).logits()
    assert_close(
        with_past, engine.score_after(engine.remember(features[:-NUM_FRAMES]), last, present)
    )
    alone = window_of(WindowsOnly(engine), features).logits()
    np.testing.assert_allclose(with_past.frame_logits, alone.frame_logits, atol=1e-5)
    assert with_past.clip_logit != pytest.approx(alone.clip_logit, abs=1e-4)


def test_a_face_has_a_score_once_it_was_seen_for_long_enough_and_its_box(scorer):
    frames = portrait_frames(12)
    scores = [scorer(frame, n / 4) for n, frame in enumerate(frames)]
    for score in scores:
        (face,) = score.faces
        assert face.id == 0 and face.frame_probability is not None
        assert score.probability_fake == face.probability_fake
        assert (face.reason == "waiting") == (face.probability_fake is None)
    assert [score.probability_fake is None for score in scores] == [True] * 8 + [False] * 4
    assert 0 < scores[-1].probability_fake < 1
    assert scores[-1].faces[0].seconds == pytest.approx(11 / 4)


def test_a_model_of_pairs_of_frames_takes_four_frames_in_a_row_for_one_burst(
    face_detector, searcher
):
    """Pairs follow each other at once in a stream, so that their noise is not independent."""
    pairs = CalibrationConfig(evidence=dataclasses.replace(EVIDENCE, burst_frames=2))
    engine = engine_of(dataclasses.replace(CONFIG, calibration=pairs))
    scorer = LiveScorer(engine, face_detector, searcher=searcher)
    scores = [scorer(frame, n / 8) for n, frame in enumerate(portrait_frames(17))]
    (window,) = scorer._windows.values()
    face = FaceFrames(*window.logits(), window.timestamps)
    fours, twos = (
        float(probabilities(video_logit([evidence_of(face, pairs, least_burst=size)], pairs)))
        for size in (4, 2)
    )
    assert scores[-1].probability_fake == fours != twos


def test_no_face_is_no_score_and_a_face_that_went_is_forgotten(scorer):
    frames = portrait_frames(10)
    for n, frame in enumerate(frames):
        scorer(frame, n / 3)
    grey = np.full_like(frames[0], 128)
    for n in range(10, 45):
        score = scorer(grey, n / 3)
        assert score.probability_fake is None and score.faces == ()
    assert not scorer._windows and not scorer._tracker._tracks


def test_memory_does_not_grow_with_the_stream(scorer):
    frames = portrait_frames(8)
    for n in range(60):
        scorer(frames[n % 8], n / 8)
    (window,) = scorer._windows.values()
    assert len(window.timestamps) <= NUM_FRAMES
    assert len(scorer._tracker._sightings.times) <= 10


def test_a_face_that_was_found_is_not_searched_for_in_every_frame(scorer, searcher, monkeypatch):
    searched = []
    detect = searcher.detect
    monkeypatch.setattr(searcher, "detect", lambda frames: searched.append(1) or detect(frames))
    for n, frame in enumerate(portrait_frames(16)):
        assert scorer(frame, n / 8).faces
    assert len(searched) == 2


def test_only_the_largest_faces_are_encoded_and_the_others_say_so(scorer, monkeypatch):
    monkeypatch.setattr(live, "_MAX_FACES", 1)
    score = scorer(portrait_frames(1, num_faces=2)[0], 0.0)
    heights = [face.box_xyxy[3] - face.box_xyxy[1] for face in score.faces]
    larger, smaller = (score.faces[n] for n in np.argsort(heights)[::-1])
    assert larger.reason == "waiting" and larger.frame_probability is not None
    assert smaller.reason == "many" and smaller.frame_probability is None


def test_after_a_cut_the_face_at_the_same_place_is_another(scorer):
    frames = portrait_frames(2)
    first = scorer(frames[0], 0.0).faces[0]
    other = frames[1].copy()
    left, top, right, bottom = first.box_xyxy
    outside = np.ones(other.shape[:2], bool)
    outside[top:bottom, left:right] = False
    other[outside] = 255 - other[outside]
    second = scorer(other, 0.1).faces
    assert len(second) == 1 and second[0].id != first.id


@pytest.mark.parametrize("timestamp", [1.0, 0.5, float("nan"), float("inf")])
def test_a_frame_that_is_not_later_is_refused(scorer, timestamp):
    frame = portrait_frames(1)[0]
    scorer(frame, 1.0)
    with pytest.raises(ValueError, match="in the order"):
        scorer(frame, timestamp)


def test_a_model_without_a_backward_lstm_is_streamed_too():
    config = dataclasses.replace(
        CONFIG, detector=dataclasses.replace(CONFIG.detector, bidirectional=False)
    )
    engine = JaxEngine(filled(lambda rngs: Detector(config, rngs=rngs)), crops_per_batch=1)
    rows = np.random.default_rng(1).normal(size=(NUM_FRAMES, TINY_RESNET.widths[-1])).astype("f4")
    (clip,) = score_faces(engine, [rows], [np.arange(NUM_FRAMES)])
    assert_close(window_of(engine, rows).logits(), clip)


def test_a_model_of_few_frames_has_a_window_of_seconds_all_the_same(engine, features):
    few = engine_of(TINY_CONFIG)
    assert few.config.video.num_frames < NUM_FRAMES
    window = window_of(few, features)
    assert len(window.timestamps) == NUM_FRAMES
    assert_close(window.logits(), window_of(engine, features).logits())


def _one_face(left: float) -> Faces:
    box = np.array([[left, 20, left + 60, 90]], np.float32)
    return Faces(box, np.full((1, 5, 2), 50.0, np.float32), np.array([0.99], np.float32))


@pytest.mark.parametrize("rate", [1, 2, 8])
def test_who_comes_after_a_second_in_which_nobody_was_there_is_someone_else(rate):
    tracker = FaceTracker(TrackConfig(max_gap=8), most_seconds=1.0)
    nobody = Faces(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    times = np.arange(4 * rate) / rate
    seen = []
    for time in times.tolist():
        is_away = 1.0 <= time < 3.0
        seen += tracker.update(nobody if is_away else _one_face(20), time)
    assert [track.id for track, _ in seen] == [0] * rate + [1] * rate


def test_who_comes_back_after_a_second_with_one_frame_of_nobody_is_someone_else():
    tracker = FaceTracker(TrackConfig(max_gap=8), most_seconds=1.0)
    nobody = Faces(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    seen = tracker.update(_one_face(20), 0.0)
    assert tracker.update(nobody, 0.6) == []
    seen += tracker.update(_one_face(20), 1.2)
    assert [track.id for track, _ in seen] == [0, 1]


def test_frames_that_come_slowly_still_show_the_same_face():
    tracker = FaceTracker(TrackConfig(max_gap=8), most_seconds=1.0)
    seen = [tracker.update(_one_face(20 + 5 * n), 3.0 * n) for n in range(5)]
    assert [track.id for of_frame in seen for track, _ in of_frame] == [0] * 5


@pytest.mark.parametrize("apart, first", [(0.5, 4.0), (1.5, 9.0), (2.5, 10.0), (4.0, None)])
def test_a_face_has_a_score_also_where_frames_come_slowly(engine, features, apart, first):
    window, enough = live._Window(engine), []
    for n, row in enumerate(features[:12]):
        window.add(row, n * apart)
        if window.is_enough:
            enough.append(n * apart)
    assert enough[:1] == ([] if first is None else [pytest.approx(first, abs=0.6)])


def test_where_frames_come_slowly_each_is_searched(scorer, searcher, monkeypatch):
    searched = []
    detect = searcher.detect
    monkeypatch.setattr(searcher, "detect", lambda frames: searched.append(1) or detect(frames))
    for n, frame in enumerate(portrait_frames(6)):
        assert scorer(frame, n * 1.5).faces
    assert len(searched) == 6


def test_a_face_far_away_is_found_where_no_other_is_and_is_said_to_be_small(scorer):
    far = np.full((480, 640, 3), 128, np.uint8)
    (portrait,) = portrait_frames(1)
    small = Image.fromarray(portrait).resize((120, 90), Image.Resampling.LANCZOS)
    far[200:290, 300:420] = np.asarray(small)
    (face,) = scorer(far, 0.0).faces
    assert face.reason == "small" and face.probability_fake is None
    assert 20 < face.box_xyxy[3] - face.box_xyxy[1] < 32
