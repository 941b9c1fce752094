import json

import pytest
import tyro

from dfjax.commands.prepare import Prepare
from dfjax.data import sources
from dfjax.data.sources import LAYOUTS, LabelledVideo, Source, read_source, title
from dfjax.data.sources.split import held_out, split_by_identity
from dfjax.data.sources.videos import DatasetLayout
from dfjax.errors import DatasetError
from tests.data.trees import assert_nobody_is_in_two_splits, touch


def video(tmp_path, *people: str, split: str = "", name: str | None = None) -> LabelledVideo:
    target, *_ = people
    return LabelledVideo(
        path=tmp_path / f"{'_'.join(people)}.mp4",
        dataset="set",
        method="swap" if len(people) > 1 else "camera",
        compression="original",
        video_id=name or "_".join(people),
        is_fake=len(people) > 1,
        split=split,
        source_ids=people,
        group=target,
    )


def test_the_command_line_offers_every_data_set(capsys):
    with pytest.raises(SystemExit):
        tyro.cli(Prepare, args=["--help"])
    shown = capsys.readouterr().out
    assert all(f"{layout.name}: " in shown for layout in LAYOUTS)


def test_a_reader_is_called_by_name_with_its_options(tmp_path):
    touch(tmp_path, "real/a.jpg")
    source = read_source("folder", tmp_path, name="mine")
    assert source.name == "folder"
    assert source.options == {"name": "mine", "validation_share": 0.1, "unseen_methods": []}
    assert [v.key for v in source.videos] == ["mine/real/original/a.jpg"]


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("imagenet", {}, "imagenet.*ffpp.*folder"),
        ("celebdf", {"compressions": ["c23"]}, "celebdf.*compressions.*none"),
        ("ffpp", {"method": "FaceSwap"}, "ffpp.*method.*compressions, methods"),
    ],
)
def test_a_reader_or_option_that_there_is_not_is_named_with_those_that_there_are(
    tmp_path, name, options, words
):
    with pytest.raises(DatasetError, match=words):
        read_source(name, tmp_path, **options)


@pytest.mark.parametrize("name", [layout.name for layout in LAYOUTS])
def test_a_folder_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(DatasetError, match="no folder .*absent"):
        read_source(name, tmp_path / "absent")


def test_a_data_set_is_called_as_people_know_it_and_a_folder_as_its_owner_does():
    assert title("ffpp") == "FaceForensics++"
    assert title("my holidays") == "my holidays"
    assert [layout.name for layout in LAYOUTS if layout.title is None] == ["folder"]
    assert all(layout.citation for layout in LAYOUTS if layout.title is not None)


def test_a_data_set_is_added_by_its_description_alone(tmp_path, monkeypatch, capsys):
    def read_toys(root):
        return Source(name="toys", options={}, videos=(video(root, "ken", split="train"),))

    toys = DatasetLayout(name="toys", read=read_toys, summary="dolls that talk.", title="Toy Talk")
    monkeypatch.setattr(sources, "LAYOUTS", (*LAYOUTS, toys))
    assert title("toys") == "Toy Talk"
    assert len(read_source("toys", tmp_path).videos) == 1
    (tmp_path / "ken.mp4").write_text("not a video")
    out = tmp_path / "prepared"
    options = [str(tmp_path), "--out", str(out), "--workers", "1"]
    assert tyro.cli(Prepare, args=["toys", *options]).run() == 0
    assert "Face clips of set" in (out / "README.md").read_text()
    assert json.loads((out / "dfjax.json").read_text())["source"]["name"] == "toys"


def test_two_videos_of_one_key_are_refused(tmp_path):
    videos = (video(tmp_path, "anna"), video(tmp_path, "bert", name="anna"))
    with pytest.raises(DatasetError, match=r"anna\.mp4 and .*bert\.mp4 .*set/camera/original/anna"):
        Source(name="set", options={}, videos=videos)


def test_a_tenth_of_many_names_is_held_out():
    names = [f"person {n}" for n in range(2000)]
    assert len(held_out(names)) == pytest.approx(200, rel=0.2)


def test_a_name_is_held_out_whatever_others_there_are():
    names = [f"person {n}" for n in range(200)]
    every_second = held_out(names[::2])
    assert every_second == held_out(reversed(names)) & set(names[::2])


def test_of_few_names_one_is_held_out_but_never_the_only_one():
    assert [len(held_out(["a", "b", "c"])), len(held_out(["a"])), len(held_out([]))] == [1, 0, 0]


def test_people_of_the_test_split_are_nowhere_else_and_nobody_is_in_two_splits(tmp_path):
    people = [f"p{n}" for n in range(30)]
    videos = [video(tmp_path, name, split="test" if name in people[:3] else "") for name in people]
    videos += [video(tmp_path, a, b) for a in people for b in people if a != b]
    kept, dropped = split_by_identity(videos)
    assert_nobody_is_in_two_splits(kept)
    assert {v.split for v in kept} == {"train", "validation", "test"}
    assert {v.video_id for v in kept if v.split == "test"} == set(people[:3])
    assert len(kept) + len(dropped) == len(videos)
    assert dropped["set/swap/original/p0_p7"] == "shows a person from the test split"
    assert dropped["set/swap/original/p7_p0"] == "shows a person from the test split"
    others = {reason for key, reason in dropped.items() if "_p0" not in key and "p0_" not in key}
    assert others == {
        "shows a person from the test split",
        "shows both a training and a validation person",
    }


def test_a_data_set_of_which_no_video_is_left_is_refused_with_the_reasons(tmp_path, monkeypatch):
    def read_nothing(root):
        return Source(name="none", options={}, videos=(), dropped={"a": "shows nobody"})

    nothing = DatasetLayout(name="none", read=read_nothing, summary="nothing.", title="None")
    monkeypatch.setattr(sources, "LAYOUTS", (nothing,))
    with pytest.raises(DatasetError, match="no video to prepare.*shows nobody"):
        read_source("none", tmp_path)
