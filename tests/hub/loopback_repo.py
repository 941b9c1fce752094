"""What the loopback Hub holds: repositories, their commits and the files of these."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Literal

LFS_PATTERNS = ("*.safetensors", "*.parquet", "*.bin", "*.npz", "*.png")
"""Files that a new repository sends to large-file storage whatever their size."""


@dataclasses.dataclass(frozen=True)
class File:
    """A file of a commit."""

    content: bytes
    is_lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_oid(self) -> str:
        """The SHA-1 that git gives the blob; of an LFS file, the blob is a pointer."""
        blob = self.content
        if self.is_lfs:
            blob = (
                "version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{self.sha256}\nsize {len(blob)}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()


@dataclasses.dataclass(frozen=True)
class Commit:
    """A state of a repository."""

    message: str
    parent: str | None
    files: Mapping[str, File]
    description: str = ""

    @property
    def oid(self) -> str:
        parts = [self.message, str(self.parent)]
        parts += [f"{name} {file.git_oid}" for name, file in sorted(self.files.items())]
        return hashlib.sha1("\n".join(parts).encode()).hexdigest()


class Repo:
    """A repository: its commits, and the branches and pull requests that name them."""

    def __init__(self, kind: str, repo_id: str, private: bool):
        self.kind, self.repo_id, self.private = kind, repo_id, private
        self.gated: Literal[False, "auto", "manual"] = False
        self.commits: dict[str, Commit] = {}
        self.variables: dict[str, str] = {}  # of a Space
        self.hardware: str | None = None  # that was asked for, for a Space
        self.refs: dict[str, str] = {}
        attributes = "".join(f"{pattern} filter=lfs\n" for pattern in LFS_PATTERNS).encode()
        self.add(
            "main", Commit("initial commit", None, {".gitattributes": File(attributes, False)})
        )

    def add(self, ref: str, commit: Commit) -> None:
        self.commits[commit.oid] = commit
        self.refs[ref] = commit.oid

    def files(self, revision: str = "main") -> Mapping[str, File]:
        return self.commits[self.refs.get(revision, revision)].files

    def history(self, revision: str = "main") -> list[Commit]:
        """Returns the commits that lead to a revision, the newest first."""
        oid, commits = self.refs.get(revision, revision), []
        while oid is not None:
            commits.append(self.commits[oid])
            oid = commits[-1].parent
        return commits
