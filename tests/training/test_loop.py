import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from dfjax.config import TrainConfig
from dfjax.errors import TrainingError
from dfjax.training.features import FeatureClips
from dfjax.training.loop import calibrated, score_clips, train, validation_report
from tests.tiny import TINY_CONFIG, tiny_detector

NUM_FEATURES = TINY_CONFIG.encoder.widths[-1]
CONFIG = TrainConfig(steps=40, learning_rate=5e-3)


def _clips(count: int, seed: int) -> FeatureClips:
    """Clips of two classes, 1:2, told apart by one feature; each third video shares identities."""
    generator = np.random.default_rng(seed)
    is_fake = (np.arange(count) % 3 != 0).astype(np.int32)
    num_frames = TINY_CONFIG.video.num_frames
    features = generator.normal(size=(count, num_frames, NUM_FEATURES)).astype(np.float32)
    features[:, :, 0] += 3 * is_fake[:, None]
    frame_mask = generator.random((count, num_frames)) < 0.8
    frame_mask[:, 0] = True
    return FeatureClips(
        features=features,
        frame_mask=frame_mask,
        is_fake=is_fake,
        face_area=np.ones(count),
        videos=tuple(f"ffpp/m/c23/{seed}_{i}" for i in range(count)),
        methods=tuple("Deepfakes" if fake else "youtube" for fake in is_fake),
        groups=tuple(f"{seed}_{i // 3}" for i in range(count)),
    )


@pytest.fixture(scope="module")
def trained():
    detector = tiny_detector()
    encoder = jax.tree.map(np.array, nnx.state(detector.encoder))
    epochs = list(train(detector, _clips(48, 0), _clips(24, 1), CONFIG))
    return detector, encoder, epochs


def test_training_learns_what_tells_the_classes_apart(trained):
    _, _, epochs = trained
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].validation_auc > 0.9
    assert epochs[-1].step == CONFIG.steps


def test_the_encoder_stays_bit_identical(trained):
    detector, encoder, _ = trained
    after = nnx.state(detector.encoder)
    jax.tree.map(np.testing.assert_array_equal, encoder, after)


def test_calibration_leaves_the_order_and_the_report_tells_its_threshold(trained):
    detector, _, epochs = trained
    validation = _clips(24, 1)
    detector.config = calibrated(detector, validation, CONFIG)
    figures = validation_report(detector, validation, CONFIG)
    assert detector.config.calibration.caveat is None
    assert figures["auc"] == pytest.approx(epochs[-1].validation_auc)
    assert figures["threshold"] == detector.config.calibration.fake_above
    assert figures["confusion"]["false_fake"] <= CONFIG.max_false_positive_rate * figures["real"]
    assert figures["per_method"]["Deepfakes"]["videos"] == figures["fake"] == 16


def test_a_model_that_may_be_no_better_than_chance_gives_no_verdict():
    detector, validation = tiny_detector(), _clips(24, 1)
    generator = np.random.default_rng(0)
    validation.features[:] = generator.normal(size=validation.features.shape)
    detector.config = calibrated(detector, validation, CONFIG)
    calibration = detector.config.calibration
    assert (calibration.real_below, calibration.fake_above) == (0.0, 1.0)
    assert calibration.caveat is not None and "chance" in calibration.caveat
    figures = validation_report(detector, validation, CONFIG)
    assert figures["auc_interval"][0] <= 0.5
    assert 0 < figures["threshold"] < 1


def test_a_clip_is_scored_alike_whatever_it_is_batched_with(trained):
    detector, clips = trained[0], _clips(24, 1)
    together = score_clips(detector, clips, batch_size=64)
    in_fives = score_clips(detector, clips, batch_size=5)
    np.testing.assert_allclose(together.clip_logits, in_fives.clip_logits, atol=1e-5)


def test_the_main_face_of_a_video_is_the_one_that_fills_most_of_it():
    clips = dataclasses.replace(
        _clips(3, 0), videos=("a", "b", "a"), face_area=np.array([10.0, 5.0, 20.0])
    )
    main = clips.main_faces()
    assert main.videos == ("b", "a")
    np.testing.assert_array_equal(main.features[1], clips.features[2])


def test_one_class_alone_cannot_be_trained_on():
    one_class = dataclasses.replace(_clips(12, 0), is_fake=np.ones(12, np.int32))
    with pytest.raises(TrainingError, match="0 real and 12 fake"):
        next(train(tiny_detector(), one_class, _clips(12, 1), CONFIG))


def test_a_batch_that_does_not_fit_the_devices_is_refused_with_a_size_that_does():
    with pytest.raises(TrainingError, match="multiple of 8"):
        next(train(tiny_detector(), _clips(12, 0), _clips(12, 1), TrainConfig(batch_size=6)))


def test_a_loss_that_is_not_finite_ends_the_run():
    clips = _clips(12, 0)
    clips.features[:] = np.inf
    with pytest.raises(TrainingError, match="learning-rate"):
        list(train(tiny_detector(), clips, _clips(12, 1), CONFIG))
