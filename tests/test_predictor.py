import dataclasses
import hashlib
import json
import pickle
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from PIL import Image, ImageFilter

from dfjax.config import CalibrationConfig, CropConfig
from dfjax.errors import ModelFormatError, VideoError
from dfjax.faces import long_video
from dfjax.faces.detection import FaceDetector
from dfjax.inference import face_scorer
from dfjax.inference.engine import FaceLogits, score_faces
from dfjax.models.fingerprint import fingerprint
from dfjax.models.locate import model_source
from dfjax.prediction import Prediction
from dfjax.predictor import Predictor
from dfjax.provenance import Provenance
from dfjax.video.reading import read_frames
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import (
    moving_pattern,
    portrait_boxes,
    portrait_frames,
    run_ffmpeg,
    write_video,
)


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(TINY_CONFIG.faces)


@pytest.fixture(scope="module")
def predictor(face_detector) -> Predictor:
    return Predictor(tiny_detector(), model_id="tiny", face_detector=face_detector)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "one.mp4", portrait_frames(50))
    write_video(folder / "two.mp4", portrait_frames(50, num_faces=2))
    write_video(folder / "none.mp4", moving_pattern(25))
    large = portrait_frames(12, size=(1440, 1920))
    write_video(folder / "large.mp4", large)
    Image.fromarray(portrait_frames(1)[0]).save(folder / "still.png")
    (folder / "text.mp4").write_text("not a video")
    return folder


@pytest.fixture(scope="module")
def one(predictor, videos):
    return predictor(videos / "one.mp4")


@pytest.fixture(scope="module")
def two(predictor, videos):
    return predictor(videos / "two.mp4")


def test_many_files_get_what_each_gets_alone(predictor, videos):
    names = ("one.mp4", "text.mp4", "two.mp4", "still.png")
    results = list(predictor.each([videos / name for name in names]))
    assert isinstance(results.pop(1), VideoError)
    for name, prediction in zip(("one.mp4", "two.mp4", "still.png"), results, strict=True):
        alone = predictor(videos / name).to_dict()
        found = prediction.to_dict()
        assert {key: found[key] for key in ("tracks", "video")} == {
            key: alone[key] for key in ("tracks", "video")
        }


def test_a_single_path_is_not_taken_for_several(predictor):
    with pytest.raises(TypeError, match=r"as in \['one.mp4'\]"):
        predictor.each("one.mp4")


def test_a_prediction_is_shown_without_its_lists(two):
    assert "label='" in repr(two) and "VideoSummary" in repr(two)
    assert "FrameScore" not in repr(two) and "TrackScore" not in repr(two)


def test_the_json_has_the_keys_of_the_contract_and_no_other(one):
    report = one.to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert list(report) == [
        "schema_version",
        "label",
        "probability_fake",
        "decision",
        "frames",
        "tracks",
        "segments",
        "video",
        "coverage",
        "model",
        "checked_at",
        "provenance",
        "warnings",
        "seconds",
    ]
    assert report["schema_version"] == 1
    assert list(report["decision"]) == [
        *("real_below", "fake_above"),
        *("false_positive_rate", "false_negative_rate"),
    ]
    assert list(report["frames"][0]) == ["timestamp", "probability_fake"]
    assert list(report["tracks"][0]) == [
        *("id", "probability_fake", "start", "end", "frames", "left_out"),
    ]
    assert list(report["coverage"]) == ["effort", "frames_sampled", "looks", "longest_gap"]
    assert list(report["tracks"][0]["frames"][0]) == ["timestamp", "probability_fake", "box_xyxy"]
    assert list(report["video"]) == [
        *("name", "duration", "fps", "width", "height", "frames_scored"),
        *("sha256", "size_bytes", "codec", "container"),
    ]
    assert list(report["model"]) == ["id", "revision", "version", "digest"]
    assert (report["model"]["id"], report["model"]["revision"]) == ("tiny", None)
    assert list(report["provenance"]) == [
        *("status", "signer", "signed_at", "tool", "made_with_ai", "source_types", "problems"),
    ]
    assert list(report["seconds"]) == ["decode", "faces", "score"]


def test_the_json_says_which_file_and_which_model_were_used_and_when(one, predictor, videos):
    content = (videos / "one.mp4").read_bytes()
    assert one.video.sha256 == hashlib.sha256(content).hexdigest()
    assert one.video.size_bytes == len(content)
    assert (one.video.codec, one.video.container) == ("h264", "mov")
    checked = datetime.strptime(one.checked_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - checked < timedelta(hours=1)
    detector = tiny_detector()
    assert one.model.digest == fingerprint(nnx.state(detector), detector.config)
    assert one.provenance == Provenance(status="absent")


def test_a_model_brings_the_evaluation_of_its_own_weights(tmp_path):
    tiny_detector().save_pretrained(tmp_path)
    digest = fingerprint(nnx.state(tiny_detector()), tiny_detector().config)
    for measured, known in ((digest, True), ("0" * 16, False)):
        report = {"model": {"fingerprint": measured}}
        (tmp_path / "report.json").write_text(json.dumps(report))
        assert (Predictor.from_pretrained(tmp_path).evaluation == report) is known


def test_frames_in_memory_are_no_file(predictor):
    prediction = predictor.score_frames([GREY], np.zeros(1))
    video = prediction.video
    assert (video.sha256, video.size_bytes, video.codec, video.container) == (None,) * 4
    assert prediction.provenance is None


def test_every_sampled_frame_with_a_face_has_a_score(one):
    assert len(one.frames) == one.video.frames_scored == TINY_CONFIG.video.num_frames
    assert all(0 <= frame.probability_fake <= 1 for frame in one.frames)
    assert np.all(np.diff([frame.timestamp for frame in one.frames]) > 0)


def test_the_boxes_lie_on_the_face(one):
    """Within half of its side, of where the portrait was put."""
    expected = portrait_boxes(50)[:, 0]
    assert len(one.tracks[0].frames) == TINY_CONFIG.video.num_frames
    for frame in one.tracks[0].frames:
        x1, y1, x2, y2 = expected[min(round(frame.timestamp * 25), 49)]
        found = np.array(frame.box_xyxy)
        centre = (found[:2] + found[2:]) / 2
        assert np.all(np.abs(centre - [(x1 + x2) / 2, (y1 + y2) / 2]) < (x2 - x1) / 2)


def test_boxes_are_in_the_pixels_of_the_shown_video_though_frames_are_scaled_down(
    videos, face_detector
):
    config = dataclasses.replace(
        TINY_CONFIG, video=dataclasses.replace(TINY_CONFIG.video, max_frame_pixels=480 * 640)
    )
    detector = tiny_detector()
    detector.config = config
    prediction = Predictor(detector, face_detector=face_detector)(videos / "large.mp4")
    assert (prediction.video.width, prediction.video.height) == (1920, 1440)
    x1, y1, x2, y2 = portrait_boxes(12, size=(1440, 1920))[0, 0]
    found = prediction.tracks[0].frames[0].box_xyxy
    assert abs((found[0] + found[2]) / 2 - (x1 + x2) / 2) < (x2 - x1) / 2
    assert found[3] - found[1] > 0.6 * (y2 - y1)


def test_two_people_make_two_tracks_and_the_higher_one_decides(two):
    assert len(two.tracks) == 2
    assert two.probability_fake == max(track.probability_fake for track in two.tracks)
    for row in two.frames:
        visible = [
            frame.probability_fake
            for track in two.tracks
            for frame in track.frames
            if frame.timestamp == row.timestamp
        ]
        assert row.probability_fake == max(visible)


def test_a_face_is_scored_alike_whoever_else_is_in_view(two, predictor):
    """The crops of both share batches of the encoder, which must not mix them."""
    assert len(two.tracks) == 2
    for track in two.tracks:
        crops = two.clips[track.id]
        features = predictor.engine.encode(crops)
        (logits,) = score_faces(predictor.engine, [features], [np.arange(len(crops))])
        alone = 1 / (1 + np.exp(-logits.frame_logits))
        expected = [frame.probability_fake for frame in track.frames]
        np.testing.assert_allclose(alone, expected, atol=1e-5)


def test_no_face_is_a_label_of_its_own_and_has_no_probability(predictor, videos):
    prediction = predictor(videos / "none.mp4")
    assert prediction.label == "no_face"
    assert prediction.probability_fake is None
    assert prediction.tracks == prediction.frames == ()
    (warning,) = prediction.warnings
    assert "nothing was judged" in warning
    assert "smaller than 5 pixels" in warning  # 24 of 640 pixels, in a picture of 128


def test_a_face_out_of_focus_beside_a_clear_one_is_left_out_and_told(face_detector, tmp_path):
    portrait = portrait_frames(1)[0]
    blurred = Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(5))
    both = np.concatenate([np.asarray(blurred), portrait], axis=1)
    Image.fromarray(both).save(tmp_path / "both.png")
    detector = tiny_detector()  # in whose crops of 32 pixels everything is sharp
    crops = CropConfig(image_size=112, min_detail=0.125)
    detector.config = dataclasses.replace(detector.config, crops=crops)
    prediction = Predictor(detector, face_detector=face_detector)(tmp_path / "both.png")
    (track,) = prediction.tracks
    assert track.frames[0].box_xyxy[0] > portrait.shape[1]
    assert any("too blurred to judge were left out: 1." in w for w in prediction.warnings)


def test_a_still_picture_is_a_clip_of_one_frame_and_says_so(predictor, videos):
    prediction = predictor(videos / "still.png")
    assert len(prediction.frames) == 1
    assert prediction.video.duration == 0.0
    assert any("single picture" in warning for warning in prediction.warnings)


@pytest.mark.parametrize(
    ("real_below", "fake_above", "label"),
    [(0.0, 0.0, "fake"), (1.0, 1.0, "real"), (0.0, 1.0, "uncertain")],
)
def test_the_models_own_thresholds_decide(
    real_below, fake_above, label, one, face_detector, videos
):
    detector = tiny_detector(real_below=real_below, fake_above=fake_above)
    prediction = Predictor(detector, face_detector=face_detector)(videos / "one.mp4")
    assert prediction.label == label
    assert prediction.decision.fake_above == fake_above
    assert prediction.probability_fake == one.probability_fake


@pytest.fixture(scope="module")
def weighing(face_detector) -> Predictor:
    """A predictor with a model of evidence, to which some frames of a face look fake."""
    detector = tiny_detector()
    logits = [
        track.probability_fake
        for track in Predictor(detector, face_detector=face_detector)
        .score_frames([*portrait_frames(8)], np.arange(8) / 2)
        .tracks[0]
        .frames
    ]
    level = float(np.mean(np.log(logits) - np.log1p(-np.array(logits))))
    evidence = dataclasses.replace(EVIDENCE, real_level=level, fake_level=level + 3.0)
    calibration = CalibrationConfig(evidence=evidence, real_below=0.4, fake_above=0.6)
    video = dataclasses.replace(TINY_CONFIG.video, burst_frames=4)
    detector.config = dataclasses.replace(TINY_CONFIG, calibration=calibration, video=video)
    return Predictor(detector, face_detector=face_detector)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """A face for 40 seconds."""
    path, frames = tmp_path_factory.mktemp("long") / "long.mp4", portrait_frames(20)
    return write_video(path, (frames[n % 20] for n in range(400)), fps=10)


def test_more_of_a_longer_video_is_looked_at_and_what_was_not_is_told(weighing, long_clip):
    looks = {effort: weighing(long_clip, effort=effort) for effort in ("quick", "standard")}
    assert looks["quick"].video.frames_scored == 8
    assert looks["standard"].video.frames_scored == 14 * 4
    assert looks["standard"].tracks[0].end > 37
    assert any("Up to 20 seconds" in text for text in looks["quick"].warnings)
    assert not any("between two looks" in text for text in looks["standard"].warnings)


def test_a_long_video_is_looked_at_no_more_often_than_its_crops_fit(
    weighing, long_clip, monkeypatch
):
    """At up to 16 faces a frame, twice as many as are kept in the end."""
    monkeypatch.setattr(long_video, "MAX_CROP_BYTES", 20 * 16 * 3 * 32**2)
    prediction = weighing(long_clip, effort="thorough")
    assert 8 < prediction.video.frames_scored <= 20
    assert prediction.tracks[0].end > 35


def test_a_long_video_without_a_face_is_no_face_and_says_how_often_it_was_looked_at(
    weighing, tmp_path
):
    pattern = moving_pattern(20)
    path = write_video(tmp_path / "nobody.mp4", (pattern[n % 20] for n in range(400)), fps=10)
    prediction = weighing(path)
    assert (prediction.label, prediction.probability_fake) == ("no_face", None)
    assert any("looked at" in text for text in prediction.warnings)


def test_a_model_without_evidence_looks_at_a_long_video_as_before(predictor, long_clip):
    assert predictor(long_clip, effort="thorough").video.frames_scored == 8
    assert predictor(long_clip).segments == ()


def test_a_stretch_that_looks_fake_is_named_with_its_times(weighing, monkeypatch):
    evidence = weighing.config.calibration.evidence

    def predict(*fake: int) -> Prediction:
        """Scores a face whose frames have the level of real ones, but for some."""
        logits = np.full(8, evidence.real_level, np.float32)
        logits[list(fake)] = evidence.fake_level + 1
        scored = [FaceLogits(logits, float(logits.mean()))]
        monkeypatch.setattr(face_scorer, "score_faces", lambda *given: scored)
        return weighing.score_frames([*portrait_frames(8)], np.arange(8) * 3.0)

    assert predict().segments == ()
    changed = predict(3, 4)
    (segment,) = changed.segments
    assert segment.probability_fake <= changed.tracks[0].probability_fake
    assert (segment.track, segment.start, segment.end) == (0, 7.5, 13.5)
    assert 0.5 < segment.probability_fake <= 1
    assert changed.label == "fake" and predict().label == "real"
    assert predict(*range(8)).segments == ()  # all of it is fake, which no stretch explains better


def test_a_face_in_more_frames_than_a_clip_holds_is_scored_in_parts(predictor):
    features = np.random.default_rng(0).normal(size=(14, 64)).astype(np.float32)
    features = features[:, : predictor.engine.encode(np.zeros((1, 32, 32, 3), np.uint8)).shape[1]]
    (long,) = score_faces(predictor.engine, [features], [np.arange(14)])
    parts = score_faces(
        predictor.engine, [features[:8], features[8:]], [np.arange(8), np.arange(6)]
    )
    frame_logits = np.concatenate([part.frame_logits for part in parts])
    np.testing.assert_allclose(long.frame_logits, frame_logits, rtol=1e-6)
    of_parts = (8 * parts[0].clip_logit + 6 * parts[1].clip_logit) / 14
    assert long.clip_logit == pytest.approx(of_parts, rel=1e-6)


def test_the_models_caveat_is_the_first_warning(videos, face_detector):
    detector = tiny_detector()
    detector.config = dataclasses.replace(
        TINY_CONFIG, calibration=CalibrationConfig(caveat="It was only tried on mice.")
    )
    prediction = Predictor(detector, face_detector=face_detector)(videos / "one.mp4")
    assert prediction.warnings[0] == "It was only tried on mice."


def test_calibration_moves_the_probability_and_keeps_the_order(one, videos, face_detector):
    detector = tiny_detector()
    detector.config = dataclasses.replace(
        TINY_CONFIG, calibration=CalibrationConfig(bias=2.0, frame_bias=2.0)
    )
    moved = Predictor(detector, face_detector=face_detector)(videos / "one.mp4")
    assert moved.probability_fake > one.probability_fake
    before, after = ([f.probability_fake for f in p.frames] for p in (one, moved))
    assert np.array_equal(np.argsort(before), np.argsort(after))


def test_nothing_more_is_compiled_for_videos_of_other_shapes(face_detector, videos):
    predictor = Predictor(tiny_detector(), face_detector=face_detector)
    predictor.warm_up()
    jitted = [vars(predictor.engine)[name] for name in ("_encode", "_score")]
    assert [function._cache_size() for function in jitted] == [1, 1]
    for name in ("one.mp4", "two.mp4", "none.mp4", "still.png", "large.mp4"):
        predictor(videos / name)
    assert [function._cache_size() for function in jitted] == [1, 1]


def test_progress_grows_to_one_and_names_its_stages(predictor, videos):
    calls = []
    predictor(videos / "one.mp4", on_progress=lambda *call: calls.append(call))
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"Reading the video, looking for faces", "Scoring faces"} <= {s for _, s in calls}


def test_the_same_file_gives_the_same_answer(predictor, one, videos):
    again = predictor(videos / "one.mp4")
    assert again.tracks == one.tracks


def test_a_verdict_is_on_the_bytes_whose_digest_it_names(predictor, videos, tmp_path):
    """A file that is written to meanwhile may be judged by the old bytes, and named by the new."""
    path = tmp_path / "copied.mp4"
    shutil.copyfile(videos / "one.mp4", path)

    def change(fraction, stage):
        shutil.copyfile(videos / "two.mp4", path)

    with pytest.raises(VideoError, match="'copied.mp4' was changed while it was judged"):
        predictor(path, on_progress=change)


def test_an_effort_that_there_is_not_is_told_with_those_that_there_are(predictor, videos):
    ways = (
        lambda: predictor(videos / "one.mp4", effort="deep"),
        lambda: list(predictor.each([videos / "one.mp4"], effort="deep")),
        lambda: predictor.batched({"video": [str(videos / "one.mp4")]}, effort="deep"),
    )
    for way in ways:
        with pytest.raises(ValueError, match="'deep'.*'quick', 'standard', 'thorough'"):
            way()


def test_a_predictor_that_is_sent_to_another_process_says_what_to_do(predictor):
    with pytest.raises(TypeError, match="`num_proc`.*load a predictor in each"):
        pickle.dumps(predictor.batched)


def test_a_text_file_is_an_error_and_the_next_file_is_still_answered(predictor, videos, one):
    with pytest.raises(VideoError):
        predictor(videos / "text.mp4")
    assert predictor(videos / "one.mp4").probability_fake == one.probability_fake


def test_a_saved_model_gives_the_same_answer_and_does_not_tell_its_path(one, videos, tmp_path):
    tiny_detector().save_pretrained(tmp_path / "model")
    prediction = Predictor.from_pretrained(tmp_path / "model")(videos / "one.mp4")
    assert prediction.probability_fake == one.probability_fake
    assert prediction.model.id == "model"


def test_the_model_is_the_argument_else_the_variable(monkeypatch):
    monkeypatch.setenv("DFJAX_MODEL", "owner/variable")
    assert model_source("owner/argument") == "owner/argument"
    assert model_source() == "owner/variable"


def test_without_any_model_the_error_says_how_to_name_one(monkeypatch, tmp_path):
    monkeypatch.delenv("DFJAX_MODEL", raising=False)
    monkeypatch.setattr("dfjax.models.locate._EMBEDDED_MODEL", tmp_path / "checkpoint")
    with pytest.raises(ModelFormatError, match="--model.*DFJAX_MODEL"):
        model_source()


def test_frames_in_memory_get_the_answer_of_their_file(predictor, videos, two):
    times, frames = zip(*read_frames(videos / "two.mp4", TINY_CONFIG.video), strict=True)
    prediction = predictor.score_frames(frames, np.array(times), name="two.mp4")
    assert prediction.probability_fake == two.probability_fake
    assert prediction.tracks == two.tracks and prediction.frames == two.frames
    assert prediction.warnings == two.warnings
    assert (prediction.video.width, prediction.video.height) == (two.video.width, two.video.height)
    assert prediction.video.name == "two.mp4"


def test_all_frames_of_a_video_get_the_answer_of_its_file(predictor, videos, one):
    every = np.arange(50) / 25
    read = read_frames(videos / "one.mp4", TINY_CONFIG.video, timestamps=every)
    times, frames = zip(*read, strict=True)
    assert len(frames) == 50 > TINY_CONFIG.video.num_frames
    prediction = predictor.score_frames(frames, np.array(times), name="one.mp4")
    assert prediction.tracks == one.tracks
    assert prediction.video.duration == pytest.approx(one.video.duration)
    assert prediction.video.fps == pytest.approx(one.video.fps)


def test_a_camera_s_clock_may_begin_at_any_time(predictor, videos, two):
    times, frames = zip(*read_frames(videos / "two.mp4", TINY_CONFIG.video), strict=True)
    on_time, later = (
        predictor.score_frames(frames, start + np.array(times)) for start in (0.0, 5000.0)
    )
    assert later.coverage.frames_sampled == on_time.coverage.frames_sampled
    assert later.coverage.longest_gap == pytest.approx(on_time.coverage.longest_gap)
    assert later.video.duration == pytest.approx(on_time.video.duration)
    assert later.probability_fake == pytest.approx(on_time.probability_fake)
    assert later.frames[0].timestamp == pytest.approx(on_time.frames[0].timestamp + 5000)


def test_one_frame_is_a_still_picture(predictor, videos):
    picture = np.asarray(Image.open(videos / "still.png"))
    prediction = predictor.score_frames([picture], np.zeros(1))
    still = predictor(videos / "still.png")
    assert prediction.tracks == still.tracks and prediction.warnings == still.warnings
    assert prediction.video.duration == 0.0


GREY = np.full((48, 64, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("frames", "timestamps", "message"),
    [
        ([], [], "no frames"),
        ([GREY, GREY], [0.0], "2 frames came with timestamps of shape"),
        ([GREY, GREY], [0.1, 0.1], "increase from frame to frame"),
        ([GREY, GREY], [0.0, np.nan], "finite"),
        ([GREY, GREY[:24]], [0.0, 0.1], "Frame 1 has shape .24, 64, 3."),
        ([GREY[..., 0]], [0.0], r"Frame 0 is uint8 .48, 64.; it must be"),
        ([GREY / 255], [0.0], "Frame 0 is float64"),
        ([GREY, GREY, GREY / 255], [0.0, 0.04, 0.08], "Frame 2 is float64"),
        ([None], [0.0], "Frame 0 is NoneType"),
    ],
)
def test_what_is_no_row_of_frames_is_refused_in_words(predictor, frames, timestamps, message):
    with pytest.raises(ValueError, match=message):
        predictor.score_frames(frames, np.array(timestamps))


def test_times_are_those_of_a_player_where_sound_goes_ahead(predictor, videos, tmp_path):
    path = tmp_path / "late.mkv"
    sound = ["-f", "lavfi", "-i", "sine=duration=5"]
    run_ffmpeg("-itsoffset", "3", "-i", videos / "one.mp4", *sound, "-c:v", "copy", path)
    on_time, late = predictor(videos / "one.mp4"), predictor(path)
    assert late.probability_fake == on_time.probability_fake
    assert late.video.duration == pytest.approx(on_time.video.duration + 3, abs=0.01)
    for before, after in zip(on_time.tracks[0].frames, late.tracks[0].frames, strict=True):
        assert after.timestamp == pytest.approx(before.timestamp + 3, abs=0.01)
    assert late.tracks[0].start == late.frames[0].timestamp == pytest.approx(3, abs=0.01)
