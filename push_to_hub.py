"""Publish a model, a prepared data set, or the app as a Space, on the Hugging Face Hub.

Everything is put together and loaded back first, then sent in one commit. The token is
huggingface_hub's own: `hf auth login`, or HF_TOKEN.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import tyro

from dfjax.commands.failures import exit_code
from dfjax.errors import HubError
from dfjax.extras import require_extra

_PROJECT = Path(__file__).resolve().parent


class _Built(NamedTuple):
    folder: Path
    files: list[str]  # paths inside the folder
    owned: tuple[str, ...]  # patterns of the published files that go if they are not in `files`


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Push:
    repo_id: str  # where to publish, as OWNER/NAME; made if it does not exist
    create_pr: bool = False  # open a pull request, and leave what is published as it is
    dry_run: bool = False  # build and check the folder, list it, and send nothing
    revision: str | None = None  # branch to commit to; main if none is given
    message: str | None = None  # of the commit
    tag: str | None = None  # name for the commit, such as v1
    # what becomes of a README.md that a person edited on the Hub, if ours is new as well
    edited_card: Literal["refuse", "keep", "replace"] = "refuse"

    def finish(self, address: str) -> None:
        """Does what is left to do once the files are published, at `address`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model(_Push):
    """Publish a trained model: weights, configs and card."""

    model: Path = _PROJECT / "checkpoint"  # folder of the model
    private: bool = False  # if the repository has to be made, make it private
    additions: Annotated[tuple[Literal["onnx"], ...], tyro.conf.arg(name="with")] = ()
    """Also export it, for programs without dfjax; needs the extra `onnx`."""

    never_public: ClassVar[bool] = False
    repo_type: ClassVar[Literal["model"]] = "model"

    def build(self, folder: Path) -> _Built:
        """Builds and checks the folder."""
        from dfjax.hub.model import MODEL_OWNED, build_model_folder

        with_onnx = "onnx" in self.additions
        if with_onnx:
            require_extra("onnx", "push_to_hub.py model --with onnx")
        files = build_model_folder(self.model, folder, self.repo_id, with_onnx=with_onnx)
        return _Built(folder, files, MODEL_OWNED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset(_Push):
    """Publish a prepared data set, in a private repository.

    Crops of faces are personal data, and the terms of most data sets forbid to pass them on. A
    public repository is refused unless you say that you may publish: --public.
    """

    data: Path  # folder that `python -m dfjax prepare` wrote
    public: bool = False  # allow a public repository, and make a new one public

    repo_type: ClassVar[Literal["dataset"]] = "dataset"

    @property
    def private(self) -> bool | None:
        """Whether a repository that has to be made is private, whatever its owner's default is."""
        return not self.public

    @property
    def never_public(self) -> bool:
        """Whether a repository that exists must be private."""
        return not self.public

    def build(self, folder: Path) -> _Built:
        """Checks the data set where it lies."""
        from dfjax.hub.dataset import DATASET_FILES, check_dataset_folder

        return _Built(self.data, check_dataset_folder(self.data), DATASET_FILES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Space(_Push):
    """Publish the app as a Space that holds a model, or fetches one from the Hub."""

    model: str = str(_PROJECT / "checkpoint")  # folder of the model, or its Hub repository
    # what it runs on, such as cpu-basic or t4-small; if none is given, what the Space has
    hardware: str | None = None
    private: bool = False  # if the repository has to be made, make it private

    never_public: ClassVar[bool] = False
    repo_type: ClassVar[Literal["space"]] = "space"

    def build(self, folder: Path) -> _Built:
        """Builds and checks the folder."""
        from dfjax.hub.hardware import gpu_of_space
        from dfjax.hub.space import SPACE_OWNED, build_space_folder

        hardware = self.hardware
        if hardware is None:
            try:
                hardware = gpu_of_space(self.repo_id)
            except HubError as error:
                if not self.dry_run:
                    raise
                print(f"{error} Without its answer, this is built for a CPU.", file=sys.stderr)
        files = build_space_folder(_PROJECT, self.model, folder, hardware=hardware)
        return _Built(folder, files, SPACE_OWNED)

    def finish(self, address: str) -> None:
        """Sets up what is no file: the hardware, and the model that is fetched."""
        from dfjax.hub.hardware import set_up_space, to_set_up
        from dfjax.hub.push import MAIN, published_before
        from dfjax.hub.space import hub_model

        options = (self.repo_id, self.hardware, hub_model(self.model))
        # A Space runs main, and has one set of variables and one hardware for all its branches.
        if not self.create_pr and self.revision in (None, MAIN):
            with published_before("variables and hardware are not all set", address):
                set_up_space(*options)
        elif left := to_set_up(*options, what="pull request" if self.create_pr else "branch"):
            print(left, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publishes what the command line asks for, and returns the exit status."""
    options = tyro.cli(
        Model | Dataset | Space,
        args=arguments,
        description=__doc__,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )
    return exit_code(lambda: _run(options))


def _run(options: Model | Dataset | Space) -> int:
    require_extra("train", "push_to_hub.py")
    with tempfile.TemporaryDirectory() as temporary:
        _publish(options, Path(temporary))
    return 0


def _publish(options: Model | Dataset | Space, temporary: Path) -> None:
    # Here and in `build`, so that --help does not wait for what they import.
    from dfjax.hub.push import check_destination, push_folder

    check_destination(options.repo_id, options.revision, options.create_pr, options.tag)
    folder, files, owned = options.build(temporary)
    sizes = {name: (folder / name).stat().st_size for name in files}
    for name, num_bytes in sizes.items():
        print(f"{num_bytes:>14,}  {name}")
    total = f"{sum(sizes.values()):,} bytes in {len(sizes)} files"
    if options.dry_run:
        print(f"{total}, built and loaded back; nothing was sent.")
        return
    print(f"{total}, built and loaded back; sending.", flush=True)
    address = push_folder(
        folder,
        files,
        options.repo_id,
        options.repo_type,
        owned=owned,
        # Who asks for nothing gets the owner's default; --public asks.
        private=options.private if isinstance(options, Dataset) else options.private or None,
        never_public=options.never_public,
        revision=options.revision,
        create_pr=options.create_pr,
        message=options.message,
        tag=options.tag,
        edited_card=options.edited_card,
        on_note=lambda note: print(note, file=sys.stderr),
    )
    options.finish(address)
    print(address)


if __name__ == "__main__":
    sys.exit(main())
