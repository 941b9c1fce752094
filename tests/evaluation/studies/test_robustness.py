import collections
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from dfjax.config import CalibrationConfig, OperatingPoint
from dfjax.data.sources import LabelledVideo
from dfjax.errors import DamagedVideoError, DatasetError
from dfjax.evaluation.distortions import (
    DISTORTIONS,
    EVERYDAY,
    EVERYDAY_KIND,
    UNCHANGED,
    Distortion,
)
from dfjax.evaluation.studies import distorted_videos as distorted_module
from dfjax.evaluation.studies.distorted_videos import DistortedScore, DistortedScorer
from dfjax.evaluation.studies.robustness import (
    RobustnessStudy,
    choose_videos,
    draw_robustness,
    measure_robustness,
)
from dfjax.faces.clips import read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.json_values import dumps
from tests.evaluation.clips import score_clips
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video

CALIBRATION = CalibrationConfig(
    fake_above=0.7,
    operating_points=(OperatingPoint(false_positive_rate=0.05, fake_above=0.9),),
)


def _video(number: int, method: str = "youtube", path: Path = Path("x.mp4")) -> LabelledVideo:
    return LabelledVideo(
        path=path,
        dataset="ffpp",
        method=method,
        compression="c23",
        video_id=f"{number:03}",
        is_fake=method != "youtube",
        split="test",
        source_ids=(f"{number:03}",),
        group=f"{number // 2:03}",
    )


VIDEOS = [
    _video(number, method)
    for method in ("youtube", "Deepfakes", "FaceSwap")
    for number in range(20)
]


class _KnownScorer(DistortedScorer):
    """Stands for a detector whose scores fall by a severity each, and which loses some faces."""

    def __init__(self):
        self.asked = []

    def outcomes(self, videos, distortion, on_video):
        self.asked.append(distortion)
        on_video(len(videos))
        return [
            DistortedScore(key=video.key, unreadable=True)
            if video.video_id == "019"
            else DistortedScore(key=video.key)
            if distortion.severity == 5 and video.video_id == "018"
            else DistortedScore(
                key=video.key,
                logit=8.0 * video.is_fake - 2.0 * distortion.severity,
                frame_logit=-8.0 * video.is_fake,
            )
            for video in videos
        ]


def test_few_videos_show_as_many_people_and_methods_as_they_can():
    chosen = choose_videos(VIDEOS, 20)
    assert chosen == choose_videos(VIDEOS[::-1], 20)
    real = [video for video in chosen if not video.is_fake]
    assert len(real) == 10 and len({video.group for video in real}) == 10
    methods = collections.Counter(video.method for video in chosen if video.is_fake)
    assert methods == {"Deepfakes": 5, "FaceSwap": 5}


def test_no_more_videos_are_chosen_than_there_are():
    assert sorted(v.key for v in choose_videos(VIDEOS, 1000)) == sorted(v.key for v in VIDEOS)


def test_every_severity_has_a_row_with_what_became_of_the_videos():
    scorer, told = _KnownScorer(), []
    figures = measure_robustness(
        scorer, VIDEOS, CALIBRATION, kinds=("blur",), on_video=lambda *t: told.append(t)
    )
    assert json.loads(dumps(figures)) == figures
    assert scorer.asked == [UNCHANGED, *DISTORTIONS["blur"]]
    assert told[-1] == (360, 360)
    assert (figures["videos"], figures["real"], figures["fake"]) == (60, 20, 40)
    rows = {row["severity"]: row for row in figures["distortions"]}
    assert all(row["auc"]["value"] == 1 and row["unreadable"] == 3 for row in rows.values())
    assert all(row["mean_of_frames_auc"]["value"] == 0 for row in rows.values())
    for row in rows.values():
        low, high = row["auc_difference"]["interval"]
        assert 0 < low < row["auc_difference"]["value"] == high == 1
    assert rows[0]["balanced_accuracy"]["value"] == 1
    assert rows[5]["balanced_accuracy"]["value"] == 0.5  # all fakes under the threshold
    assert (rows[4]["no_face_share"], rows[5]["no_face_share"]) == (0, 3 / 60)
    assert (rows[4]["scored"], rows[5]["scored"]) == (57, 54)
    assert figures["everyday"] == []


def test_everyday_treatments_are_of_real_videos_at_the_strict_threshold():
    scorer = _KnownScorer()
    between = dataclasses.replace(CALIBRATION, bias=1.4)  # real videos come to 0.80
    figures = measure_robustness(scorer, VIDEOS, between, kinds=(EVERYDAY_KIND,))
    assert scorer.asked == [UNCHANGED, *EVERYDAY]
    assert figures["everyday_threshold"] == 0.9
    assert [row["kind"] for row in figures["everyday"]] == ["none", *(t.kind for t in EVERYDAY)]
    assert all(row["scored"] == 19 for row in figures["everyday"])
    assert figures["distortions"][0]["false_positive_rate"]["value"] == 1
    assert all(row["false_positive_rate"]["value"] == 0 for row in figures["everyday"])


def test_the_text_and_the_picture_show_every_kind():
    figures = measure_robustness(
        _KnownScorer(), VIDEOS, CALIBRATION, kinds=("blur", "noise", EVERYDAY_KIND)
    )
    study = RobustnessStudy()
    text = study.section(figures, "test")
    rows = [*figures["distortions"], *figures["everyday"]]
    assert all(f"| {row['setting']} | {row['scored']} |" in text for row in rows)
    panels = study.pictures(figures, "caption")["robustness"].axes
    assert [axes.get_title().split(",")[0] for axes in panels] == ["blur", "noise"]
    for axes in panels:
        auc, *_ = axes.get_lines()
        assert np.asarray(auc.get_ydata()).tolist() == [1.0] * 6


@pytest.mark.parametrize("kinds", [("blur",), ("blur", "noise", "resize", "contrast")])
def test_a_long_caption_stays_inside_of_the_picture(kinds):
    figures = measure_robustness(_KnownScorer(), VIDEOS, CALIBRATION, kinds=kinds)
    caption = "one, two, three, four and five data sets, validation split: 623 real, 469 fake"
    picture = draw_robustness(figures, caption)
    picture.canvas.draw()
    captions = [text for text in picture.findobj(Text) if "validation" in text.get_text()]
    assert len(captions) == len(picture.legends) == 1
    for artist in (*captions, *picture.legends):
        box = artist.get_window_extent()
        assert 0 <= box.x0 and box.x1 <= picture.bbox.x1
        assert 0 <= box.y0 and box.y1 <= picture.bbox.y1


def test_an_unknown_kind_is_refused_with_those_that_there_are():
    with pytest.raises(DatasetError, match="no distortion rain; known are compression, resize"):
        measure_robustness(_KnownScorer(), VIDEOS, CALIBRATION, kinds=("rain",))


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(TINY_CONFIG.faces)


@pytest.fixture
def distorted_scorer(tmp_path, face_detector) -> DistortedScorer:
    detector = tiny_detector()
    return DistortedScorer(
        lambda rows, stage=None: score_clips(detector, rows),
        TINY_CONFIG,
        face_detector,
        tmp_path / "known",
    )


def test_a_video_is_scored_as_the_file_on_the_disk_is(distorted_scorer, face_detector, tmp_path):
    paths = [
        write_video(tmp_path / "face.mp4", portrait_frames(6)),
        write_video(tmp_path / "pattern.mp4", moving_pattern(6)),
        tmp_path / "damaged.mp4",
    ]
    paths[2].write_text("not a video")
    videos = [_video(number, path=path) for number, path in enumerate(paths)]
    encoded = Distortion(kind="compression", severity=1, setting="", crf=23)
    face, pattern, damaged = distorted_scorer.outcomes(videos, encoded, lambda done: None)
    (tmp_path / "again").mkdir()
    copy = encoded.apply(paths[0], tmp_path / "again")
    found = read_face_clips(copy, TINY_CONFIG, face_detector)
    (row,) = distorted_module.rows_of(videos[0], found)
    np.testing.assert_array_equal(row.frames, found.clips[0].frames)
    (scored,) = score_clips(tiny_detector(), [row])
    assert face.logit == pytest.approx(scored.clip_logit, abs=1e-5)
    assert face.frame_logit == pytest.approx(scored.frame_logits.mean(), abs=1e-5)
    assert (pattern.logit, pattern.unreadable) == (None, False)
    assert (damaged.logit, damaged.unreadable) == (None, True)


def test_a_run_that_was_stopped_goes_on_where_it_was(distorted_scorer, monkeypatch):
    read = []

    def read_until_stopped(path, *arguments):
        if len(read) == stop_after:
            raise KeyboardInterrupt
        read.append(path.name)
        if path.name in failing:
            raise DamagedVideoError("the disk is full")

    failing = {"1.mp4"}
    monkeypatch.setattr(distorted_module, "read_face_clips", read_until_stopped)
    monkeypatch.setattr(distorted_module, "rows_of", lambda video, found: [])
    monkeypatch.setattr(distorted_module, "_VIDEOS_AT_ONCE", 2)
    videos = [_video(number, path=Path(f"{number}.mp4")) for number in range(6)]
    stop_after = 5
    with pytest.raises(KeyboardInterrupt):
        distorted_scorer.outcomes(videos, UNCHANGED, lambda done: None)
    (file,) = distorted_scorer.folder.iterdir()
    file.write_text(file.read_text()[:-10])  # killed while it wrote
    stop_after = None
    read.clear()
    failing.clear()
    outcomes = distorted_scorer.outcomes(videos, UNCHANGED, lambda done: None)
    assert read == ["1.mp4", "3.mp4", "4.mp4", "5.mp4"]
    assert not any(outcome.unreadable for outcome in outcomes)
    assert [outcome.key for outcome in outcomes] == [video.key for video in videos]
    read.clear()
    assert distorted_scorer.outcomes(videos, UNCHANGED, lambda done: None) == outcomes
    assert read == []
