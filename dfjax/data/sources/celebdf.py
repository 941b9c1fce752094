"""Celeb-DF, versions 1 and 2."""

import re
from pathlib import Path

from dfjax.data.sources.files import contents, find_home, left_out, videos_in
from dfjax.data.sources.lists import read_text
from dfjax.data.sources.split import split_by_identity
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

_TEST_LIST = "List_of_testing_videos.txt"

# Folder in lower case (YouTube-real is also spelled Youtube-real), and a pattern for its files.
_NAMES = {
    "celeb-real": r"(id\d+)_\d+",
    "youtube-real": r"(\d+)",
    "celeb-synthesis": r"(id\d+)_(id\d+)_\d+",
}
_FAKE = "celeb-synthesis"


def read_celebdf(root: Path) -> Source:
    """Lists the videos of Celeb-DF-v1 or Celeb-DF-v2 in its published layout.

    The test split is the official one. Other videos that show one of its people are left out. The
    official list of version 2 covers nearly everybody, which leaves little more than YouTube-real
    to train on: this is a data set to test on. There is no official validation split; a tenth of
    the remaining people is held out by a hash of their names (`split_by_identity`). Each video of
    YouTube-real is assumed to show somebody who is in no other video.

    The fake idA_idB_NNNN shows B's face in the video idA_NNNN. Its group is that of A alone, since
    swaps link nearly everybody with everybody else; `source_ids` names both.

    Args:
      root: The folder with `Celeb-real`, `YouTube-real`, `Celeb-synthesis` and the list of testing
        videos, or one up to two levels above.

    Raises:
      DatasetError: The layout is a different one, or a line of the list is malformed.

    Source: Li et al., Celeb-DF, CVPR 2020.
    """
    home = find_home(root, lambda folder: (folder / _TEST_LIST).is_file())
    tested = _read_test_list(home / _TEST_LIST)
    folders = {p.name.lower(): p for p in home.iterdir() if p.is_dir()}
    videos: list[LabelledVideo] = []
    dropped: dict[str, str] = {}
    misnamed: list[Path] = []
    for kind, pattern in _NAMES.items():
        folder = folders.get(kind, home / kind)
        # Some copies have another folder inside, named "videos".
        for path in (videos_in(folder) | videos_in(folder / "videos")).values():
            match = re.fullmatch(pattern, path.stem)
            if match is None:
                dropped[f"celebdf/{folder.name}/original/{path.stem}"] = "unexpected file name"
                misnamed.append(path)
                continue
            people = match.groups() if kind != "youtube-real" else (f"youtube{path.stem}",)
            videos.append(
                LabelledVideo(
                    path=path,
                    dataset="celebdf",
                    method=folder.name,
                    compression="original",
                    video_id=path.stem,
                    is_fake=kind == _FAKE,
                    split="test" if (kind, path.stem) in tested else "",
                    source_ids=people,
                    group=people[0],
                    original_id=re.sub(r"_id\d+", "", path.stem) if kind == _FAKE else "",
                )
            )
    if not videos:
        raise DatasetError(
            f"{home} holds no Celeb-DF videos. Expected files such as Celeb-real/id0_0000.mp4 or "
            f"Celeb-real/videos/id0_0000.mp4. {contents(home)}"
        )
    found = {(v.method.lower(), v.video_id) for v in videos}
    missing = tuple(f"celebdf/{kind}/original/{name}" for kind, name in sorted(tested - found))
    kept, shared = split_by_identity(videos)
    return Source(
        name="celebdf",
        options={},
        videos=kept,
        missing=missing,
        dropped=dropped | shared,
        left_out=left_out(root, [*(video.path for video in videos), *misnamed]),
    )


def _read_test_list(file: Path) -> set[tuple[str, str]]:
    """Returns (folder in lower case, name without suffix) of each video; 1 means real in the list.

    Raises:
      DatasetError: The list is missing, or a line is not like `1 Celeb-real/id9_0000.mp4`.
    """
    if not file.is_file():
        raise DatasetError(
            f"There is no {file}. It is part of Celeb-DF and says which videos are for testing; "
            f"without it, results cannot be compared with those of others. {contents(file.parent)}"
        )
    lines = read_text(file).split("\n")
    tested = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"([01])\s+([\w-]+)/(\w+)\.(?i:mp4)", line.strip())
        kind = match[2].lower() if match else ""
        if match is None or kind not in _NAMES or (match[1] == "1") == (kind == _FAKE):
            raise DatasetError(
                f"Line {number} of {file} is {line.strip()!r}; it must look like "
                "'1 Celeb-real/id9_0000.mp4' or '0 Celeb-synthesis/id9_id1_0000.mp4', "
                "where 1 means real."
            )
        tested.add((kind, match[3]))
    return tested


CELEBDF = DatasetLayout(
    name="celebdf",
    read=read_celebdf,
    summary="Celeb-DF, version 1 or 2, in its published layout.",
    title="Celeb-DF",
    citation=(
        "Y. Li et al., Celeb-DF: A Large-scale Challenging Dataset for DeepFake Forensics, "
        "CVPR 2020: clips."
    ),
)
