import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.data.sources import LabelledVideo
from dfjax.evaluation.studies.controls import (
    ControlsStudy,
    describe_file,
    faceless,
    measure_metadata,
)
from tests.augment.faces import LANDMARKS
from tests.evaluation.clips import StripeScorer, clip_row, study_context
from tests.videos import moving_pattern, write_video

SIZE = 64


def _row(is_fake: int, number: int, *, inside: int, outside: int):
    """Returns a clip with one grey level in the middle, where the face is, and another around."""
    frames = np.full((2, SIZE, SIZE, 3), outside, np.uint8)
    frames[:, 8:60, 8:56] = inside
    return clip_row(
        f"{number:03}",
        num_frames=2,
        size=SIZE,
        frames=frames,
        landmarks=np.tile(SIZE * LANDMARKS, (2, 1, 1)).astype(np.float32),
        is_fake=is_fake,
        method="Deepfakes" if is_fake else "youtube",
    )


class _Mean(StripeScorer):
    """Stands for a detector that sees how bright a crop is."""

    def __call__(self, rows, *, on_clip=None):
        rows = list(rows)
        scored = super().__call__(rows, on_clip=on_clip)
        return [
            dataclasses.replace(clip, clip_logit=float(row.frames.mean()))
            for clip, row in zip(scored, rows, strict=True)
        ]


def test_the_mask_hides_the_whole_face_and_leaves_the_corners():
    row = _row(0, 0, inside=10, outside=200)
    (masked,) = faceless([row], 4)
    for x, y in SIZE * LANDMARKS:
        assert (masked.frames[:, int(y), int(x)] == 127).all()
    np.testing.assert_array_equal(masked.frames[:, :4, :4], row.frames[:, :4, :4])
    assert 0.2 < (masked.frames == 127).mean() < 0.9


@pytest.mark.parametrize("fake_is", ["inside", "outside"])
def test_a_label_that_is_in_the_face_is_not_told_without_it_and_one_around_it_is(fake_is):
    rows = [
        _row(is_fake, number, **({"inside": 128, "outside": 128} | {fake_is: 128 + 50 * is_fake}))
        for number in range(6)
        for is_fake in (0, 1)
    ]
    if fake_is == "inside":  # all that is bright lies under the mask
        for row in rows:
            row.frames[:] = np.where(_hidden(row), row.frames, 128)
    context = study_context(
        score=lambda rows, stage=None: _Mean(by_stripe=False)(rows), rows=lambda: iter(rows)
    )
    shortcuts = ControlsStudy().measure(context)
    assert shortcuts["metadata"] is None  # without the files
    found = shortcuts["faceless"]
    assert found["auc"]["value"] == (0.5 if fake_is == "inside" else 1.0)
    (setting,) = found["per_setting"]
    assert (setting["dataset"], setting["compression"], setting["fake"]) == ("ffpp", "c23", 6)


def _hidden(row):
    (masked,) = faceless([dataclasses.replace(row, frames=np.zeros_like(row.frames))], 4)
    return masked.frames == 127


def _files(folder: Path, *, qualities: tuple[int, int]) -> list[LabelledVideo]:
    """Returns pictures of which the real and the fake ones may have another JPEG quality."""
    generator = np.random.default_rng(0)
    videos = []
    for number in range(40):
        for is_fake, quality in enumerate(qualities):
            path = folder / f"{number}_{is_fake}.jpg"
            noise = generator.integers(0, 256, (48, 48, 3)).astype(np.uint8)
            Image.fromarray(noise).save(path, quality=quality)
            videos.append(
                LabelledVideo(
                    path=path,
                    dataset="set",
                    method="swap" if is_fake else "real",
                    compression="",
                    video_id=path.stem,
                    is_fake=bool(is_fake),
                    split="train" if number < 25 else "validation",
                    source_ids=(str(number),),
                    group=str(number),
                )
            )
    return videos


def test_metadata_tell_a_label_that_hangs_on_the_mill_and_no_other(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    told = measure_metadata([_files(tmp_path / "a", qualities=(75, 90))], "validation")
    assert told["auc"]["value"] == 1.0
    read = []
    blind = measure_metadata(
        [_files(tmp_path / "b", qualities=(75, 75))],
        "validation",
        on_file=lambda *progress: read.append(progress),
    )
    low, high = blind["auc"]["interval"]
    assert low < 0.5 < high
    assert (blind["per_setting"][0]["real"], read[-1]) == (15, (80, 80))


def test_a_picture_that_cannot_be_opened_does_not_end_the_control(tmp_path):
    videos = _files(tmp_path, qualities=(75, 90))
    videos[0].path.write_bytes(b"of a format that Pillow does not know")
    assert measure_metadata([videos], "validation")["auc"]["value"] == 1.0


def test_a_data_set_without_both_labels_is_left_out_and_named(tmp_path):
    videos = [v for v in _files(tmp_path, qualities=(75, 75)) if not v.is_fake]
    found = measure_metadata([videos], "validation")
    assert found["auc"]["value"] is None and list(found["left_out"]) == ["set"]


@pytest.mark.parametrize("stem", ["fakeface", "2", "h264"])
def test_a_file_is_described_by_its_codec_and_rates_but_not_by_its_name(tmp_path, stem):
    path = write_video(tmp_path / f"{stem}.mp4", moving_pattern(10))
    features = describe_file(path)
    assert ("word h264" in features) == (stem != "h264")
    assert features["bytes"] == path.stat().st_size
    frame = moving_pattern(1)[0]
    assert (features["width"], features["height"]) == (frame.shape[1], frame.shape[0])
    assert 0 < features["duration"] < 2
    assert not any("fakeface" in name for name in features)
