"""Finds the files of a data set: at any depth, through links, in any case of their endings."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from dfjax.data.sources.videos import LeftOut
from dfjax.errors import DatasetError
from dfjax.files import shown_path
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES

_MEDIA = frozenset(STILL_SUFFIXES + VIDEO_SUFFIXES)
_LISTS = frozenset((".csv", ".json", ".txt", ".md"))  # describe a data set, and are no part of it
_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"))

_UNREAD = "they are outside the folders and lists that were read"


def walk(root: Path) -> Iterator[Path]:
    """Yields every file below a folder. Links to folders are followed, and no folder comes twice.

    Folders that cannot be listed raise an error: their videos would be missing without a word.

    Raises:
      DatasetError: A folder cannot be listed, or a name is not UTF-8.
    """
    seen: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise DatasetError(f"The folder {error.filename} cannot be listed: {error.strerror}.")

    for place, folders, names in os.walk(root, onerror=refuse, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in (*folders, *names):
            if any("\ud800" <= character <= "\udfff" for character in name):
                raise DatasetError(
                    f"The name of {shown_path(os.path.join(place, name))} is not UTF-8. Rename it, "
                    "for example with convmv."
                )
        folders.sort()
        for name in sorted(names):
            yield Path(place, name)


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a file below `root` is hidden, or in a hidden folder."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def is_media(path: Path) -> bool:
    """Whether a file's ending is that of a video or picture, in upper or lower case."""
    return path.suffix.lower() in _MEDIA


def videos_in(folder: Path) -> dict[str, Path]:
    """Returns the videos directly in a folder, by name without ending, in order.

    Of two videos that differ only in their endings, such as `a.mp4` and `a.avi`, the MP4 counts.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_video = path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
        is_video = is_video and path.is_file()  # and no link that leads nowhere
        if is_video and (path.stem not in found or path.suffix.lower() == ".mp4"):
            found[path.stem] = path
    return found


def as_spelled(path: Path) -> Path:
    """Returns a listed file as it is spelled on disk, where only the case of its ending may differ.

    A file that is not there in any spelling is returned as it is listed.
    """
    spellings = (path, *(path.with_suffix(case(path.suffix)) for case in (str.lower, str.upper)))
    return next((spelling for spelling in spellings if spelling.is_file()), path)


def find_home(root: Path, is_home: Callable[[Path], bool]) -> Path:
    """Returns the folder that holds a data set: `root`, or the only one at most two levels below.

    Archives often add a level when they are unpacked.

    Args:
      root: The folder that was named.
      is_home: Whether a folder has what the data set begins with.

    Returns:
      The folder; `root` if there is none, so that errors name it.

    Raises:
      DatasetError: Several folders below `root` hold such a data set.
    """
    level = [root]
    for _ in range(3):
        homes = [folder for folder in level if is_home(folder)]
        if len(homes) > 1:
            raise DatasetError(
                f"{root} holds several data sets: {', '.join(map(str, homes[:3]))}. Name one."
            )
        if homes:
            return homes[0]
        level = [
            inner
            for folder in level
            for inner in sorted(folder.iterdir())
            if inner.is_dir() and not inner.name.startswith(".")
        ]
    return root


def contents(root: Path) -> str:
    """Returns what a folder holds, as a sentence for an error that says what was expected there."""
    names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in root.iterdir())
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"It holds {', '.join(names[:6])}{more}." if names else "It is empty."


def left_out(root: Path, read: Iterable[Path]) -> dict[str, LeftOut]:
    """Returns the files below a folder that a reader did not take, by reason.

    Args:
      root: The data set's folder.
      read: The files that the reader accounts for: as videos, or as dropped with a reason.
    """
    taken = set(read)
    taken |= {path.resolve() for path in taken}
    files: dict[str, list[str]] = {}
    for path in walk(root):
        if path.suffix.lower() not in _LISTS and path not in taken and path.resolve() not in taken:
            if reason := _reason(path, root):
                files.setdefault(reason, []).append(path.relative_to(root).as_posix())
    return {reason: LeftOut.of(files[reason]) for reason in sorted(files)}


def _reason(path: Path, root: Path) -> str | None:
    """Returns why a file was not taken; None for one that nobody would miss."""
    suffix = path.suffix.lower()
    if is_hidden(path, root):
        return "they are hidden" if suffix in _MEDIA else None
    if suffix in _MEDIA:
        return _UNREAD
    if suffix in _ARCHIVES:
        return f"they are archives ({suffix}); unpack them"
    if not suffix:
        return "their names have no ending"
    return f"their ending is {suffix}, not that of a video or picture"


def require_some(root: Path, listed: Sequence[Path], where: str) -> None:
    """Checks that at least one of the files that a list names is there.

    Args:
      root: The data set's folder.
      listed: The files, as the list gives them; may be empty.
      where: The list's name, for the error.

    Raises:
      DatasetError: There is none. Says how the list would have to name the first one, if that can
        be found out.
    """
    if not listed or any(path.is_file() for path in listed):
        return
    first = listed[0]
    message = f"{root} holds none of the {len(listed)} files that {where} names, such as {first}."
    slashed = Path(str(first).replace("\\", "/"))
    if slashed != first and slashed.is_file():
        raise DatasetError(f"{message} Write its paths with / in place of \\.")
    if first.parent.is_dir():
        others = sorted(path.name for path in first.parent.iterdir() if path.stem == first.name)
        if others:
            raise DatasetError(f"{message} Add the ending: there is {others[0]}.")
    raise DatasetError(f"{message} {contents(root)}")
