"""With what the files of an archive are scored, and the key by which equal settings are known."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Self

from dfjax.models.locate import find_folder
from dfjax.models.model_files import INDEX_NAME, WEIGHTS_PATTERN
from dfjax.models.pretrained import CALIBRATION_NAME, CONFIG_NAME, PREPROCESSOR_NAME
from dfjax.runtimes.runtime import RuntimeName
from dfjax.version import __version__
from dfjax.video.sampling import Effort

_FILES = (CONFIG_NAME, PREPROCESSOR_NAME, CALIBRATION_NAME, INDEX_NAME)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """How every file of a scan is scored."""

    model: str  # folder or Hub repository
    revision: str | None = None  # of the repository; None: its main branch
    runtime: RuntimeName = "jax"
    effort: Effort = "standard"
    threads: int | None = None  # of each process, in any runtime; None: one per core

    def pinned(self) -> Self:
        """Returns the same settings with the commit that a model on the Hub has now.

        Whoever loads it later, here or on another machine, then loads the same.

        Raises:
          ModelFormatError: The model is neither a folder nor a name on the Hub.
          HubError: It could not be downloaded from the Hub.
        """
        if Path(self.model).expanduser().is_dir():
            return self
        folder = find_folder(self.model, revision=self.revision)
        return dataclasses.replace(self, revision=folder.name)

    def key(self) -> str:
        """Returns 16 hex digits that change with all that may change a score.

        They are a digest of the model's files, dfjax's version, the runtime and the effort. The
        files stand for the model in every runtime, and need not be loaded for it.

        Raises:
          ModelFormatError: The model is neither a folder nor a name on the Hub.
          HubError: It could not be downloaded from the Hub.
        """
        folder = find_folder(self.model, revision=self.revision)
        digest = hashlib.sha256()
        for part in (__version__, self.runtime, self.effort, *_file_digests(folder)):
            digest.update(part.encode() + b"\0")
        return digest.hexdigest()[:16]


def _file_digests(folder: Path) -> list[str]:
    """Returns names and digests of the files that a model is loaded from."""
    parts = []
    for path in sorted(folder.iterdir()):
        if path.name in _FILES or WEIGHTS_PATTERN.fullmatch(path.name):
            with path.open("rb") as file:
                parts += [path.name, hashlib.file_digest(file, "sha256").hexdigest()]
    return parts
