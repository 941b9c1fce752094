"""Whose text the published card is: ours, or that of a person who edited it on the Hub."""

import hashlib
import re
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi, RepoFile

from dfjax.errors import HubError
from dfjax.version import __version__

CARD = "README.md"

IfEdited = Literal["refuse", "keep", "replace"]
"""What becomes of a card that a person edited, if ours is new as well."""

_NOTE = "Published by dfjax {version} with the card {blob}."

_NOTED = re.compile(r"Published by dfjax \S+ with the card ([0-9a-f]{40})\.")


def commit_description(card: Path) -> str:
    """Returns what a commit says of the card that dfjax made, so that the next push knows it."""
    return _NOTE.format(version=__version__, blob=_blob(card))


def keeps_published_card(
    api: HfApi,
    card: Path,
    repo_id: str,
    repo_type: str,
    *,
    revision: str | None,
    if_edited: IfEdited,
) -> bool:
    """Returns whether the published card stays, since a person edited it and ours is not new.

    Three cards are compared: the published one, the one that dfjax made for the last push, which
    that push's commit names, and the one that it made now.

    Args:
      api: The Hub.
      card: The card that dfjax made now.
      repo_id: OWNER/NAME.
      repo_type: What the repository is.
      revision: The commit that the push is to follow, or its branch; None: main.
      if_edited: What to do if a person edited the published card and ours is new.

    Raises:
      HubError: Both are new, and `if_edited` is "refuse".
    """
    where = {"repo_id": repo_id, "repo_type": repo_type, "revision": revision}
    published = [row for row in api.get_paths_info(paths=[CARD], **where)]
    theirs = next((row.blob_id for row in published if isinstance(row, RepoFile)), None)
    ours = _blob(card)
    if theirs is None or theirs == ours or if_edited == "replace":
        return False
    commits = api.list_repo_commits(**where)
    noted = (_NOTED.search(f"{commit.title}\n{commit.message}") for commit in commits)
    base = next((match[1] for match in noted if match), None)
    # The Hub's own first commit may hold a card, which nobody wrote.
    if theirs == base or len(commits) == 1:
        return False
    if ours == base or if_edited == "keep":
        return True
    raise HubError(
        f"{CARD} of {repo_id} was edited on the Hub, and the one to be published is new as well. "
        "Nothing was sent. Push with --edited-card keep to leave it as it is there, or with "
        "--edited-card replace to lose the edits."
    )


def _blob(path: Path) -> str:
    """Returns the name that git gives to a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
