"""Runs the steps of a Dockerfile without a container engine, in layers over this machine's root."""

import dataclasses
import os
import re
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

_LAYERS = Path("/dev/shm")  # a layer must be on another file system than what is under it
_NEEDED_BYTES = 4e9

_ENTER = """
set -eu
layer=$1 user=$2 place=$3 mode=$4
shift 4
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/merged"
mount -t proc proc "$layer/merged/proc"
mount --rbind /dev "$layer/merged/dev"
if [ "$mode" = read-only ]; then
  mount -o remount,ro "$layer/merged"
  mount -t tmpfs -o mode=1777 tmpfs "$layer/merged/tmp"
fi
exec chroot --userspec="$user:$user" "$layer/merged" sh -c 'cd "$0" && exec "$@"' "$place" "$@"
"""

# As the base image has them; only the package index is this machine's own.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
_OF_THE_INDEX = re.compile(r"(?i)pip_\w+|\w*(cert|ca_bundle|proxy)\w*")

_PYTHON = """
set -eu
for place in "$1"/bin/*; do ln -sf "$place" /usr/local/bin/; done
ln -sf python3.11 /usr/local/bin/python
rm -rf /usr/local/lib/python3.11
ln -s "$1/lib/python3.11" /usr/local/lib/python3.11
place=$1
while [ "$place" != / ]; do chmod a+rx "$place"; place=$(dirname "$place"); done
"""


def why_not() -> str | None:
    """Returns why no such layers can be made here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "only root of a Linux machine may mount"
    if not _LAYERS.is_dir() or shutil.disk_usage(_LAYERS).free < _NEEDED_BYTES:
        return f"{_LAYERS} has less than {_NEEDED_BYTES / 1e9:g} GB"
    with _layer() as layer:
        done = subprocess.run(_enter(layer, ["true"]), capture_output=True, text=True)
    return done.stderr or None if done.returncode else None


@dataclasses.dataclass(kw_only=True)
class Image:
    """What a Dockerfile makes: a layer, and how a container of it starts."""

    layer: Path
    environment: dict[str, str]
    user: str = "0"
    place: str = "/"
    entrypoint: Sequence[str] = ()

    def command(self, arguments: Sequence[str], *, read_only: bool = True) -> list[str]:
        """Returns the command that runs something in a container of it."""
        mode = "read-only" if read_only else "writable"
        return _enter(self.layer, arguments, user=self.user, place=self.place, mode=mode)


@contextmanager
def built(instructions: Sequence[tuple[str, str]]) -> Iterator[Image]:
    """Follows a Dockerfile's instructions, and yields the image of its last stage.

    The base image is this machine's root, with the Python of the tests in the place of its own.
    """
    stages: dict[str, Image] = {}
    with tempfile.TemporaryDirectory(dir=_LAYERS) as folder:
        image = None
        for name, rest in instructions:
            if name == "FROM":
                image = Image(layer=_new_layer(Path(folder)), environment=dict(_ENVIRONMENT))
                stages[rest.rpartition(" AS ")[2]] = image
                _run(image, ["sh", "-c", _PYTHON, "sh", os.path.realpath(sys.base_prefix)])
                continue
            assert image is not None
            _follow(name, rest, image, stages)
        assert image is not None
        yield image


def _follow(name: str, rest: str, image: Image, stages: Mapping[str, Image]) -> None:
    upper = image.layer / "upper"
    match name:
        case "RUN":
            _run(image, ["sh", "-c", rest])
        case "COPY":
            *sources, target = rest.split()
            there = upper / target.lstrip("/")
            if sources[0].startswith("--from="):
                stage = stages[sources.pop(0).removeprefix("--from=")]
                origin = stage.layer / "upper" / sources[0].lstrip("/")
                shutil.copytree(origin, there, symlinks=True, copy_function=os.link)
                return
            for source in map(PROJECT.joinpath, sources):
                if source.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, there, ignore=ignored)
                else:
                    there.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, there)
        case "ENV":
            for setting in string.Template(rest).substitute(image.environment).split():
                key, _, value = setting.partition("=")
                image.environment[key] = value
        case "USER":
            image.user = rest
        case "WORKDIR":
            image.place = rest
        case "ENTRYPOINT":
            image.entrypoint = [part.strip('" ') for part in rest.strip("[]").split(",")]
        case "EXPOSE" | "HEALTHCHECK" | "CMD":
            pass
        case _:
            raise ValueError(f"nobody has taught the test to follow {name}")


def _run(image: Image, arguments: Sequence[str]) -> None:
    of_index = {key: value for key, value in os.environ.items() if _OF_THE_INDEX.fullmatch(key)}
    done = subprocess.run(
        image.command(arguments, read_only=False),
        env=of_index | image.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _layer() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_LAYERS) as folder:
        yield _new_layer(Path(folder))


def _new_layer(folder: Path) -> Path:
    layer = Path(tempfile.mkdtemp(dir=folder))
    for name in ("upper", "work", "merged"):
        (layer / name).mkdir()
    # That of the root is its upper layer's.
    (layer / "upper").chmod(0o755)
    return layer


def _enter(
    layer: Path,
    arguments: Sequence[str],
    *,
    user: str = "0",
    place: str = "/",
    mode: str = "writable",
) -> list[str]:
    command = ["unshare", "--mount", "sh", "-c", _ENTER, "sh"]
    return [*command, str(layer), user, place, mode, *arguments]
