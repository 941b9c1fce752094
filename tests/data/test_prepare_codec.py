from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data.prepare import prepare
from dfjax.data.prepared import load_manifest, read_clips
from dfjax.data.rows import CodecConfig
from dfjax.data.sources import read_source
from tests.videos import portrait_frames, write_video

CONFIG = Config(video=VideoConfig(num_frames=2), crops=CropConfig(image_size=48))
CODEC = CodecConfig(variants=2, seed=3)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A real video and its fake, a still, and a file that is no video."""
    root = tmp_path_factory.mktemp("root")
    video = write_video(root / "a.mp4", portrait_frames(3), arguments=["-crf", "12"])
    (root / "fake_a.mp4").write_bytes(video.read_bytes())
    Image.fromarray(portrait_frames(1)[0]).save(root / "still.png")
    (root / "text.mp4").write_text("not a video")
    (root / "metadata.csv").write_text(
        "file,label,identity,original,split\n"
        "a.mp4,real,anna,,train\nfake_a.mp4,fake,,a.mp4,train\n"
        "still.png,real,bert,,train\ntext.mp4,real,carl,,train\n"
    )
    out = tmp_path_factory.mktemp("prepared") / "set"
    prepare(read_source("folder", root), out, CONFIG, codec=CODEC)
    return out


def test_a_video_and_its_fake_are_encoded_again_alike(prepared):
    compressions = {}
    for clip in read_clips(str(prepared), "train"):
        compressions.setdefault(clip.video_id, []).append(clip.compression)
    expected = ["original"]
    for crf in CODEC.crfs("anna", 2):
        side = CODEC.shorter_side("anna", crf)
        expected.append(f"original-crf{crf}" + (f"-{side}p" if side else ""))
    assert compressions["a.mp4"] == compressions["fake_a.mp4"] == expected
    assert len(set(expected)) == 3


def test_a_still_and_a_damaged_file_have_no_encoded_version(prepared):
    videos = {clip.video for clip in read_clips(str(prepared), "train")}
    assert {video for video in videos if "still" in video} == {"folder/real/original/still.png"}
    assert not any("text" in video for video in videos)


def test_the_more_is_taken_away_the_further_a_crop_is_from_its_own(prepared):
    clips = {c.compression: c for c in read_clips(str(prepared), "train") if c.video_id == "a.mp4"}
    own = clips.pop("original").frames.astype(float)
    errors = {name: np.mean((clip.frames - own) ** 2) for name, clip in clips.items()}
    assert min(errors.values()) > 0
    assert sorted(errors, key=errors.__getitem__) == sorted(errors)


def test_no_encoded_video_is_left_behind_and_the_draw_is_on_record(prepared):
    assert {path.suffix for path in prepared.rglob("*.*")} == {".json", ".md", ".parquet"}
    assert not (prepared / "unfinished").exists()
    assert load_manifest(str(prepared))["codec"] == {
        "variants": 2,
        "filmed": 0,
        "min_crf": 23,
        "max_crf": 40,
        "small": 0.5,
        "only_encoded": False,
        "seed": 3,
    }


def test_the_draw_depends_on_the_group_and_the_seed_alone():
    draws = {
        (seed, group): tuple(CodecConfig(seed=seed).crfs(group, 4))
        for seed in range(5)
        for group in ("anna", "bert")
    }
    assert len(set(draws.values())) == len(draws)
    assert all(len(set(draw)) == 4 for draw in draws.values())
    more = CodecConfig(seed=1).crfs("anna", 7)
    assert tuple(more[:4]) == draws[1, "anna"]
    assert set(CodecConfig().crfs("anna", 18)) == set(range(23, 41))


def test_training_may_see_re_encoded_versions_alone_and_validation_sees_all(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_video(root / name, portrait_frames(3), arguments=["-crf", "12"])
    (root / "text.mp4").write_text("not a video")
    (root / "metadata.csv").write_text(
        "file,label,split\na.mp4,real,train\ntext.mp4,real,train\nb.mp4,real,validation\n"
    )
    codec = CodecConfig(variants=1, only_encoded=True)
    report = prepare(read_source("folder", root), tmp_path / "set", CONFIG, codec=codec)
    (clip,) = read_clips(str(tmp_path / "set"), "train")
    assert clip.compression.startswith("original-crf")
    compressions = [c.compression for c in read_clips(str(tmp_path / "set"), "validation")]
    assert compressions[0] == "original" and compressions[1].startswith("original-crf")
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert "50% of them are also scaled down" in card
    assert "The training split has only these versions" in card
    assert list(report["splits"]["train"]["skipped"]) == ["folder/real/original/text.mp4"]


def test_about_the_given_share_is_scaled_down_as_messengers_do():
    codec = CodecConfig(small=0.3)
    sides = [codec.shorter_side(f"person {n}", 30) for n in range(300)]
    assert set(sides) == {480, None}
    assert 0.2 < np.mean([side is not None for side in sides]) < 0.4
    assert {CodecConfig(small=0).shorter_side(f"{n}", 30) for n in range(50)} == {None}


@pytest.mark.parametrize(
    "fields",
    [
        {"small": 1.1},
        {"only_encoded": True},
        {"variants": 19},
        {"filmed": 19},
        {"variants": -1},
        {"max_crf": 52},
    ],
)
def test_a_draw_that_cannot_be_made_is_refused(fields):
    with pytest.raises(ValueError, match="CodecConfig"):
        CodecConfig(**fields)
