from pathlib import Path

import pytest

from dfjax.data.sources.folder import read_folder
from dfjax.errors import DatasetError
from tests.data.trees import touch


def write_list(root: Path, text: str) -> None:
    (root / "metadata.csv").write_text(text)
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    touch(root, *(name for name in names if name and not name.startswith(("/", ".."))))


def test_what_is_in_real_is_real_and_what_is_in_fake_is_fake(tmp_path):
    touch(tmp_path, "real/a.mp4", "real/more/b.JPG", "fake/a.mp4", "fake/notes.txt", "other/c.mp4")
    touch(tmp_path, "real/.cache/d.mp4", "fake/._a.mp4")
    videos = read_folder(tmp_path).videos
    assert {v.key: v.is_fake for v in videos} == {
        "folder/real/original/a.mp4": False,
        "folder/real/original/more:b.JPG": False,
        "folder/fake/original/a.mp4": True,
    }


def test_real_stills_alone_are_enough(tmp_path):
    touch(tmp_path, *(f"real/{n:03d}.png" for n in range(200)))
    videos = read_folder(tmp_path).videos
    assert len(videos) == 200 and not any(v.is_fake for v in videos)
    assert 5 < sum(v.split == "validation" for v in videos) < 40


def test_one_identity_is_one_group_in_one_split(tmp_path):
    lines = [f"{person}_{n}.mp4,real,{person}" for person in range(30) for n in range(3)]
    write_list(tmp_path, "\n".join(["file,label,identity", *lines]))
    videos = read_folder(tmp_path).videos
    splits = {v.group: {w.split for w in videos if w.group == v.group} for v in videos}
    assert len(splits) == 30
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validation"}
    assert videos[0].source_ids == ("0",)


def test_a_fake_is_in_the_group_of_its_original_and_of_whoever_that_is_a_group_with(tmp_path):
    write_list(
        tmp_path,
        "file,label,identity,original\n"
        "f.mp4,fake,,a.mp4\n"
        "a.mp4,real,anna,\n"
        "b.mp4,real,anna,\n"
        "c.mp4,real,,\n"
        "g.mp4,fake,,./c.mp4\n",
    )
    videos = {v.video_id: v for v in read_folder(tmp_path).videos}
    assert {videos[name].group for name in ("a.mp4", "b.mp4", "f.mp4")} == {"anna"}
    assert videos["g.mp4"].group == videos["c.mp4"].group != "anna"
    assert videos["f.mp4"].original_id == "a.mp4"


@pytest.mark.parametrize(
    "original, file",
    [
        ("{}.mp4", "real/{}.mp4"),
        ("real/{}.mp4", "{}.mp4"),
        ("fake/{}.mp4", "real/{}.mp4"),
        ("real/{}.MP4", "real/{}.mp4"),
        ("{}.mp4", "real/{}.MP4"),
        ("./real/{}.mp4", "real/{}.mp4"),
    ],
)
def test_a_fake_and_its_original_are_in_one_split_however_the_list_writes_its_path(
    tmp_path, original, file
):
    lines = ["file,label,original"]
    for n in range(40):
        lines += [f"{file.format(n)},real,", f"swaps/{n}_swap.mp4,fake,{original.format(n)}"]
    write_list(tmp_path, "\n".join(lines))
    source = read_folder(tmp_path, validation_share=0.25)
    reals = {v.video_id: v for v in source.videos if not v.is_fake}
    fakes = [v for v in source.videos if v.is_fake]
    assert {v.split for v in fakes} == {"train", "validation"}
    for fake in fakes:
        real = reals[fake.original_id]
        assert (fake.group, fake.split) == (real.group, real.split)
    assert {v.group for v in fakes} == {file.format(n).replace("/", ":") for n in range(40)}
    assert not source.left_out


def test_a_listed_original_of_exactly_the_path_is_taken_before_one_that_is_like_it(tmp_path):
    write_list(
        tmp_path,
        "file,label,method,original\n"
        "real/a.mp4,real,phone,\na.mp4,real,camera,\na.MP4,real,webcam,\nf.mp4,fake,,a.mp4\n",
    )
    groups = {
        v.path.relative_to(tmp_path).as_posix(): v.group for v in read_folder(tmp_path).videos
    }
    assert groups["f.mp4"] == groups["a.mp4"]
    assert len({groups["a.mp4"], groups["a.MP4"], groups["real/a.mp4"]}) == 3


def test_a_fake_made_from_a_fake_is_in_its_group_and_in_that_of_the_real_one_like_it(tmp_path):
    write_list(
        tmp_path,
        "file,label,original\nreal/a.mp4,real,\nfake/a.mp4,fake,\nfake/b.mp4,fake,fake/a.mp4\n",
    )
    assert len({v.group for v in read_folder(tmp_path).videos}) == 1


def test_originals_that_the_list_lacks_are_counted_and_keep_their_fakes_together(tmp_path):
    write_list(
        tmp_path,
        "file,label,original\nb.mp4,fake,real/x.mp4\nc.mp4,fake,real/x.mp4\nd.mp4,fake,b.mp4\n",
    )
    source = read_folder(tmp_path)
    assert len({v.group for v in source.videos}) == 1
    ((reason, originals),) = source.left_out.items()
    assert "no such real file" in reason
    assert (originals.count, originals.examples) == (2, ("b.mp4", "real/x.mp4"))


def test_the_order_of_the_list_changes_no_group_and_no_split(tmp_path):
    lines = [f"{n}.mp4,real,person {n % 7}," for n in range(20)]
    lines += [f"f{n}.mp4,fake,,{n}.mp4" for n in range(20)]
    found = []
    for order in (lines, lines[::-1], lines[1::2] + lines[::2]):
        write_list(tmp_path, "\n".join(["file,label,identity,original", *order]))
        found.append({v.key: (v.group, v.split) for v in read_folder(tmp_path).videos})
    assert found[0] == found[1] == found[2]


def test_every_other_column_becomes_an_attribute(tmp_path):
    write_list(
        tmp_path,
        "\ufefffile_name,label,split,method,skin tone,light\n"
        "a.mp4,0,test,phone,V,\n"
        'b.mp4,FAKE,val,swap/v2,,"dark, indoors"\n',
    )
    first, second = read_folder(tmp_path, name="mine").videos
    assert (first.key, first.is_fake, first.split) == ("mine/phone/original/a.mp4", False, "test")
    assert (second.key, second.is_fake) == ("mine/swap:v2/original/b.mp4", True)
    assert second.split == "validation"
    assert first.attributes == {"skin tone": "V"}
    assert second.attributes == {"light": "dark, indoors"}


def test_a_listed_file_that_is_absent_is_named_and_not_fatal(tmp_path):
    write_list(tmp_path, "file,label\na.mp4,real\nb.mp4,fake\n")
    (tmp_path / "b.mp4").unlink()
    assert read_folder(tmp_path).missing == ("folder/fake/original/b.mp4",)


def test_one_identity_in_two_splits_is_refused(tmp_path):
    write_list(tmp_path, "file,label,identity,split\na.mp4,real,anna,train\nb.mp4,real,anna,test\n")
    with pytest.raises(DatasetError, match="'anna'.*train and test"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "text, words",
    [
        ("name,label\na.mp4,real\n", "columns name, label"),
        ("file\na.mp4\n", "`file` and `label`"),
        ("file,label\na.mp4,real\nb.mp4,maybe\n", "Line 3 .*'maybe'"),
        ("file,label\n\na.mp4,real\n\nb.mp4,maybe\n", "Line 5 .*'maybe'"),
        ("file,label,split\na.mp4,real,dev\n", "Line 2 .*'dev'"),
        ("file,label\n../a.mp4,real\n", "Line 2 .*inside the folder"),
        ("file,label\n/etc/a.mp4,real\n", "Line 2 .*inside the folder"),
        ("file,label\n,real\n", "Line 2 .*inside the folder"),
        ("file,label\na.mp4,real\na.mp4,fake\n", "a.mp4 is listed twice, as .*real.* as .*fake"),
        ("file,label,label\na.mp4,real,fake\n", "2 columns named 'label'"),
        (
            "file,label\na.mp4,real\n./a.mp4,real\n",
            "is listed twice, as folder/real/original/a.mp4",
        ),
        ("file,label\n", "holds neither"),
    ],
)
def test_a_list_that_does_not_fit_is_told(tmp_path, text, words):
    write_list(tmp_path, text)
    with pytest.raises(DatasetError, match=words):
        read_folder(tmp_path)


def test_a_folder_with_neither_says_what_was_expected(tmp_path):
    touch(tmp_path, "a.mp4")
    with pytest.raises(DatasetError, match="metadata.csv.*real and fake"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["", "my/set"])
def test_a_name_that_would_break_keys_is_refused(tmp_path, name):
    touch(tmp_path, "real/a.mp4")
    with pytest.raises(DatasetError, match="name"):
        read_folder(tmp_path, name=name)


METHODS = "file,label,method,identity\n" + "".join(
    f"{label}{n}.mp4,{label},{method},person {n}\n"
    for n in range(40)
    for label, method in (("real", "camera"), ("fake", ("Swap", "Lips/2", "Head")[n % 3]))
)


def test_a_method_that_training_must_not_see_is_held_out_with_its_people(tmp_path):
    write_list(tmp_path, METHODS)
    source = read_folder(tmp_path, unseen_methods=("Lips/2",))
    with_it = {video.group for video in source.videos if video.method == "Lips:2"}
    assert {video.split for video in source.videos if video.group in with_it} == {"validation"}
    others = [video for video in source.videos if video.group not in with_it]
    assert {video.split for video in others} == {"train", "validation"}
    before = {video.key: video.split for video in read_folder(tmp_path).videos}
    assert all(before[video.key] == video.split for video in others)
    assert source.options["unseen_methods"] == ["Lips:2"]


def test_about_the_given_share_of_the_people_is_held_out(tmp_path):
    write_list(tmp_path, METHODS)
    videos = read_folder(tmp_path, validation_share=0.5).videos
    held_out = {video.group for video in videos if video.split == "validation"}
    assert 12 <= len(held_out) <= 28
    with pytest.raises(DatasetError, match="it must be between 0 and 1"):
        read_folder(tmp_path, validation_share=1.0)


def test_an_unseen_method_that_nobody_used_or_that_is_trained_on_is_refused(tmp_path):
    write_list(tmp_path, METHODS)
    with pytest.raises(DatasetError, match="No fake was made with Lip, .* the methods are Head"):
        read_folder(tmp_path, unseen_methods=("Lip",))
    write_list(tmp_path, "file,label,method,split\na.mp4,fake,Swap,train\n")
    with pytest.raises(DatasetError, match="training must not see"):
        read_folder(tmp_path, unseen_methods=("Swap",))


@pytest.mark.parametrize("real, fake", [("Real", "FAKE"), ("0_real", "1_fake"), ("reals", "fakes")])
def test_folders_of_labels_may_be_spelled_as_people_do(tmp_path, real, fake):
    touch(tmp_path, f"{real}/a.mp4", f"{fake}/b.mp4")
    assert {v.path.name: v.is_fake for v in read_folder(tmp_path).videos} == {
        "a.mp4": False,
        "b.mp4": True,
    }


def test_folders_of_labels_are_found_further_down_with_their_splits(tmp_path):
    names = ("train/real/a", "train/fake/b", "val/real/c", "test/1_fake/sub/a", "val/fake/d")
    touch(tmp_path, *(f"faces/{name}.jpg" for name in names))
    videos = {
        v.path.relative_to(tmp_path / "faces").as_posix(): v for v in read_folder(tmp_path).videos
    }
    assert {name: v.is_fake for name, v in videos.items()} == {
        "train/real/a.jpg": False,
        "train/fake/b.jpg": True,
        "val/real/c.jpg": False,
        "test/1_fake/sub/a.jpg": True,
        "val/fake/d.jpg": True,
    }
    assert [videos[f"{name}.jpg"].split for name in names[:4]] == [
        *("train", "train", "validation", "test")
    ]


@pytest.mark.parametrize("top", ["", "faces/"])
def test_splits_directly_below_the_labels_are_kept(tmp_path, top):
    names = {"train": "train", "Training": "train", "valid": "validation", "testing": "test"}
    for folder in names:
        touch(tmp_path, f"{top}real/{folder}/{folder}.mp4", f"{top}1_fake/{folder}/{folder}.mp4")
    videos = read_folder(tmp_path).videos
    assert len(videos) == 2 * len(names)
    assert all(v.split == names[v.path.stem] for v in videos)


def test_a_folder_further_below_a_label_says_no_split(tmp_path):
    touch(tmp_path, *(f"real/anna/test/{n}.mp4" for n in range(9)))
    assert {v.split for v in read_folder(tmp_path).videos} == {"train", "validation"}


@pytest.mark.parametrize(
    "split, unsplit",
    [
        ("train/real/a.mp4", "more/fake/b.mp4"),
        ("real/train/a.mp4", "real/more/b.mp4"),
        ("real/test/a.mp4", "fake/b.mp4"),
        ("train/fake/a.mp4", "real/b.mp4"),
    ],
)
def test_files_of_which_only_some_have_a_split_are_refused(tmp_path, split, unsplit):
    touch(tmp_path, split, unsplit)
    with pytest.raises(DatasetError, match=f"such as {split}, and .*, such as {unsplit}"):
        read_folder(tmp_path)


def test_the_label_nearest_to_the_top_counts_and_what_is_beside_it_is_left_out(tmp_path):
    touch(tmp_path, "real/fake/a.mp4", "other/fake/b.mp4")
    source = read_folder(tmp_path)
    assert {v.path.name: v.is_fake for v in source.videos} == {"a.mp4": False}
    ((reason, files),) = source.left_out.items()
    assert "outside" in reason and files.examples == ("other/fake/b.mp4",)


def test_a_list_is_found_one_level_down(tmp_path):
    (tmp_path / "unpacked").mkdir()
    write_list(tmp_path / "unpacked", "file;label\na.mp4;real\n".replace(";", ","))
    assert [v.path for v in read_folder(tmp_path).videos] == [tmp_path / "unpacked" / "a.mp4"]


def test_a_listed_ending_may_be_in_another_case(tmp_path):
    (tmp_path / "metadata.csv").write_text("file,label\na.mp4,real\n")
    touch(tmp_path, "a.MP4")
    source = read_folder(tmp_path)
    assert [v.path.name for v in source.videos] == ["a.MP4"] and not source.missing


@pytest.mark.parametrize(
    "listed, words",
    [
        ("v\\a.mp4", r"none of the 1 files that metadata\.csv names.* with / in place of"),
        ("v/a", r"Add the ending: there is a\.mp4"),
        ("w/a.mp4", "It holds metadata.csv, v/"),
    ],
)
def test_a_list_none_of_whose_files_is_there_is_refused_with_what_would_help(
    tmp_path, listed, words
):
    touch(tmp_path, "v/a.mp4")
    (tmp_path / "metadata.csv").write_text(f"file,label\n{listed},real\n")
    with pytest.raises(DatasetError, match=words):
        read_folder(tmp_path)
