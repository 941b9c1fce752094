import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from dfjax.errors import DatasetError, ModelFormatError
from dfjax.evaluation.scoring import Look, Scorer, main_faces
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from tests.evaluation.clips import clip_row, scored_clip
from tests.tiny import TINY_CONFIG, tiny_detector

NUM_FRAMES = TINY_CONFIG.video.num_frames


def _rows(count: int) -> list:
    """Clips of 1 to 8 frames, with frames missing in between."""
    rows = []
    for number in range(count):
        indices = np.arange(NUM_FRAMES)[number % NUM_FRAMES :: 1 + number % 2]
        row = clip_row(f"{number:03}", num_frames=NUM_FRAMES)
        rows.append(
            dataclasses.replace(
                row,
                frame_indices=indices,
                boxes_xyxy=row.boxes_xyxy[indices],
                frames=row.frames[indices],
            )
        )
    return rows


@pytest.fixture(scope="module")
def detector() -> Detector:
    return tiny_detector()


@pytest.fixture(scope="module")
def scorer(detector) -> Scorer:
    return Scorer(JaxEngine.for_many(detector))


def test_a_clips_logits_are_the_detectors_whatever_it_is_batched_with(detector, scorer):
    rows = _rows(21)
    together = scorer(iter(rows))
    assert [clip.row.video for clip in together] == [row.video for row in rows]
    graph, state = nnx.split(detector)
    detect = jax.jit(lambda state, *inputs: nnx.merge(graph, state)(*inputs))
    for row, clip in zip(rows, together, strict=True):
        clips = np.zeros((1, NUM_FRAMES, 32, 32, 3), np.uint8)
        frame_mask = np.zeros((1, NUM_FRAMES), bool)
        clips[0, row.frame_indices], frame_mask[0, row.frame_indices] = row.frames, True
        output = detect(state, clips, frame_mask)
        np.testing.assert_allclose(clip.clip_logit, output.clip_logits[0], atol=1e-4)
        np.testing.assert_allclose(
            clip.frame_logits, output.frame_logits[0, row.frame_indices], atol=1e-4
        )


def test_other_weights_are_scored_without_compiling_again(detector, monkeypatch):
    traced = []
    encode = Detector.encode

    def counting_encode(*arguments):
        traced.append(arguments)
        return encode(*arguments)

    monkeypatch.setattr(Detector, "encode", counting_encode)
    engine, rows = JaxEngine(detector), _rows(3)
    first = Scorer(engine)(rows)
    engine.load(nnx.state(tiny_detector(seed=1)))
    second = Scorer(engine)(rows)
    assert len(traced) == 1
    assert first[0].clip_logit != second[0].clip_logit


def test_rows_are_read_one_at_a_time_and_lose_their_pixels(detector, scorer):
    """A clip is given before the last rows are read, so that no set has to fit into memory."""
    read = []

    def rows():
        for number in range(60):
            read.append(number)
            yield clip_row(f"{number:03}", num_frames=NUM_FRAMES)

    clip = next(scorer.iterate(rows()))
    assert len(read) < 30
    assert clip.row.frames.size == 0 and clip.row.frames.base is None


def test_progress_ends_with_the_number_of_clips(detector, scorer):
    counts = []
    scorer(_rows(20), on_clip=counts.append)
    assert counts == sorted(counts) and counts[-1] == 20


def test_no_rows_give_no_clips(scorer):
    assert scorer([]) == []


def test_crops_of_another_size_are_refused_with_what_to_do(detector, scorer):
    with pytest.raises(DatasetError, match="48x48 pixels; the model takes 32x32.*--image-size 32"):
        scorer([clip_row(size=48)])


def test_more_frames_than_the_model_takes_are_refused(detector, scorer):
    with pytest.raises(DatasetError, match="9 sampled frames.*--num-frames 8"):
        scorer([clip_row(num_frames=9)])


def test_logits_that_are_not_finite_are_refused():
    diverged = tiny_detector()
    diverged.temporal.frame_head.kernel[...] = np.nan
    with pytest.raises(ModelFormatError, match="c23/000 are not finite"):
        Scorer(JaxEngine(diverged))([clip_row()])


def test_the_main_face_of_a_video_is_the_one_that_fills_most_of_it():
    small = scored_clip("a", logit=1.0)
    large = scored_clip("a", logit=2.0, track_id=1)
    boxes = large.row.boxes_xyxy + np.array([0, 0, 20, 20])
    large = dataclasses.replace(large, row=dataclasses.replace(large.row, boxes_xyxy=boxes))
    assert main_faces([small, large, scored_clip("b")])[0] is large
    assert len(main_faces([small, large, scored_clip("b")])) == 2


def test_a_blurred_crop_is_less_sharp_and_a_dark_one_less_bright():
    frames = clip_row().frames
    blurred = (frames[:, :-1] // 2 + frames[:, 1:] // 2).astype(np.uint8)
    assert Look.of(blurred).sharpness < 0.7 * Look.of(frames).sharpness
    assert Look.of(frames // 2).brightness == pytest.approx(
        Look.of(frames).brightness / 2, rel=0.01
    )
    assert Look.of(np.full((1, 8, 8, 3), 77, np.uint8)) == Look(sharpness=0.0, brightness=77.0)
