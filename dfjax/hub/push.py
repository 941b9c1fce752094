"""Sends a folder to the Hugging Face Hub, in one commit or one pull request."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects, httpx, validate_repo_id

from dfjax.errors import HubError
from dfjax.hub.cards import CARD, IfEdited, commit_description, keeps_published_card
from dfjax.reporting.card import PICTURES
from dfjax.version import __version__

MAIN = "main"
"""The branch that a push goes to if none is named, and that a Space runs."""

_TOKENS_PAGE = "https://huggingface.co/settings/tokens"


def check_destination(
    repo_id: str, revision: str | None, create_pr: bool, tag: str | None = None
) -> None:
    """Checks where a push is to go, without the network. Arguments as for `push_folder`.

    Raises:
      HubError: The name is not OWNER/NAME, or has characters that the Hub does not take, or a pull
        request is asked for against a branch or with a tag.
    """
    needed = "A name as OWNER/NAME is needed, of letters, digits, '-', '_' and '.'."
    if repo_id.count("/") != 1:
        raise HubError(f"The repository is called {repo_id!r}. {needed}")
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(f"The Hub takes no repository called {repo_id!r}. {needed}") from error
    if create_pr and revision is not None:
        raise HubError(
            f"A pull request is always opened against main, but the revision is {revision!r}. "
            "Leave one of the two out."
        )
    if create_pr and tag is not None:
        raise HubError(
            f"A pull request publishes nothing that the tag {tag!r} could name. Push with the tag "
            "once it is merged."
        )


def push_folder(
    folder: Path,
    files: Sequence[str],
    repo_id: str,
    repo_type: Literal["model", "dataset", "space"],
    *,
    owned: Sequence[str],
    private: bool | None = None,
    never_public: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    message: str | None = None,
    tag: str | None = None,
    edited_card: IfEdited = "refuse",
    on_note: Callable[[str], None] = lambda note: None,
) -> str:
    """Publishes a folder's files at once: a reader sees the old state or the new one.

    The Hub and the token are huggingface_hub's own: `HF_ENDPOINT` or huggingface.co, `HF_TOKEN` or
    `hf auth login`.

    The repository is made if it does not exist, unless a branch of it is named. Files of an earlier
    push that are no longer there are deleted in the same commit, so that old shards or modules
    never mix with new ones. If nothing is new, there is no commit; if somebody else commits
    meanwhile, neither. Large files that reached the Hub before a push was interrupted are not sent
    again.

    Args:
      folder: The finished folder.
      files: Its files that are sent, as paths inside it.
      repo_id: OWNER/NAME.
      repo_type: What the repository is.
      owned: Shell patterns of the published files that are deleted if they are not among `files`;
        `*` also matches slashes. The pictures of a card that stays are not.
      private: Whether a new repository is private; None: as the owner's default is. An existing one
        keeps its visibility.
      never_public: Send nothing to a repository that is public.
      revision: Branch to commit to; None: main.
      create_pr: Open a pull request with the commit, and leave the branch as it is.
      message: Of the commit.
      tag: Name for the commit, for `from_pretrained(..., revision=tag)`.
      edited_card: What becomes of a card that a person edited on the Hub, if ours is new as well.
      on_note: Called with a sentence if that card stays.

    Returns:
      The address of the commit or the pull request.

    Raises:
      HubError: The Hub cannot be reached or refuses, with what to do about it.
    """
    check_destination(repo_id, revision, create_pr, tag)
    api = HfApi(library_name="dfjax", library_version=__version__)
    additions = [CommitOperationAdd(name, folder / name) for name in files]
    with hub_errors(api, repo_id, revision):
        head = _open_repository(
            api, repo_id, repo_type, revision, private=private, never_public=never_public
        )
        if tag is not None:
            _require_new_tag(api, repo_id, repo_type, tag)
        keeps_card = CARD in files and keeps_published_card(
            api, folder / CARD, repo_id, repo_type, revision=head, if_edited=edited_card
        )
        if keeps_card:
            on_note(f"{CARD} was edited on the Hub, and stays as it is there.")
            additions = [addition for addition in additions if addition.path_in_repo != CARD]
        published = api.list_repo_files(repo_id, repo_type=repo_type, revision=head)
        stale = set(filter_repo_objects(published, allow_patterns=list(owned))) - set(files)
        if keeps_card:  # and what it shows
            stale = {name for name in stale if not name.startswith(f"{PICTURES}/")}
        # Not upload_folder: with Xet it may split a folder into several commits.
        commit = api.create_commit(
            repo_id,
            [CommitOperationDelete(name) for name in sorted(stale)] + additions,
            commit_message=message or f"Publish with dfjax {__version__}",
            commit_description=commit_description(folder / CARD) if CARD in files else None,
            repo_type=repo_type,
            revision=revision,
            create_pr=create_pr,
            parent_commit=head,  # what was decided above holds for this state alone
        )
    address = commit.pr_url or commit.commit_url
    if tag is not None:
        with published_before(f"the tag {tag!r} was not made", address):
            with hub_errors(api, repo_id, revision):
                api.create_tag(repo_id, repo_type=repo_type, tag=tag, revision=commit.oid)
    return address


def _open_repository(
    api: HfApi,
    repo_id: str,
    repo_type: Literal["model", "dataset", "space"],
    revision: str | None,
    *,
    private: bool | None,
    never_public: bool,
) -> str | None:
    """Returns a branch's last commit; makes the repository if there is none.

    Arguments as for `push_folder`.

    Raises:
      HubError: It is public and must not be.
    """
    # First, because this call reports a bad token plainly; later ones answer with a 404.
    api.whoami()
    if revision in (None, MAIN):  # a new repository has no other branch
        api.create_repo(
            repo_id,
            repo_type=repo_type,
            private=private,
            space_sdk="gradio" if repo_type == "space" else None,
            exist_ok=True,
        )
    info = api.repo_info(repo_id, repo_type=repo_type, revision=revision)
    if never_public and not info.private:
        raise HubError(
            f"{repo_id} is public, and nothing was sent. Make it private in its settings, or "
            "give --public if you may publish this."
        )
    return info.sha


def _require_new_tag(api: HfApi, repo_id: str, repo_type: str, tag: str) -> None:
    """Checks that a repository has no such tag yet.

    Raises:
      HubError: It has.
    """
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    commits = {ref.name: ref.target_commit for ref in refs.tags}
    if tag in commits:
        raise HubError(
            f"{repo_id} has a tag {tag!r} already, of the commit {commits[tag]}, and nothing was "
            "sent: people may rely on it. Choose another."
        )


@contextlib.contextmanager
def published_before(failed: str, address: str) -> Iterator[None]:
    """Says of a `HubError` that the files were published before it.

    Args:
      failed: What did not come about, as a clause.
      address: Of the commit.
    """
    try:
        yield
    except HubError as error:
        raise HubError(f"The files are published, {address}, but {failed}. {error}") from error


@contextlib.contextmanager
def hub_errors(api: HfApi, repo_id: str, revision: str | None) -> Iterator[None]:
    """Turns what huggingface_hub raises into a `HubError` that says what to do."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise HubError(
            "No Hugging Face token was found. Run `hf auth login`, or set HF_TOKEN; make a token "
            f"with write permission at {_TOKENS_PAGE}."
        ) from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE forbids network access. Unset it to push.") from error
    except RevisionNotFoundError as error:
        raise HubError(
            f"{repo_id} has no branch {revision!r}. Make it first, or leave the revision out."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"The Hub shows no {repo_id} to this token. Check the name, and that the token may "
            f"read and write it: {_TOKENS_PAGE}."
        ) from error
    except BadRequestError as error:
        raise HubError(f"The Hub refused what was sent: {_said(error)}") from error
    except HfHubHTTPError as error:
        raise HubError(_refusal(error, repo_id)) from error
    except httpx.HTTPError as error:
        raise HubError(
            f"The Hub at {api.endpoint} cannot be reached ({type(error).__name__}). Check the "
            "network and HF_ENDPOINT, then push again: files are never published in part."
        ) from error
    except (ValueError, RuntimeError) as error:
        raise HubError(_failure(error, api.endpoint)) from error


def _failure(error: ValueError | RuntimeError, endpoint: str) -> str:
    """Returns the message for an error that is no answer of the Hub."""
    if isinstance(error, json.JSONDecodeError):
        return (
            f"What answers at {endpoint} is not the Hub; it may be this network's page to log in. "
            "Check the network and HF_ENDPOINT, then push again: files are never published in part."
        )
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":  # of a header
        return (
            "The token has a character that no token has. Copy it again from "
            f"{_TOKENS_PAGE}, with nothing around it."
        )
    # What create_commit raises for a card that the Hub refuses, or for a failed upload. Of the
    # underlying error only the type is shown: its message may contain a signed address.
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    return f"The push failed: {' '.join(str(error).split())}{cause}"


def _refusal(error: HfHubHTTPError, repo_id: str) -> str:
    """Returns the message for an answer of the Hub that has no specific exception class."""
    status = error.response.status_code
    if status == 401:
        return (
            "The Hub did not accept the token. Make one with write permission at "
            f"{_TOKENS_PAGE}, then run `hf auth login` or set HF_TOKEN."
        )
    if status == 403:
        return (
            f"The token may not write to {repo_id}. Use one with write permission for that owner, "
            "or open a pull request with --create-pr where the repository exists."
        )
    if status == 412:
        return (
            f"{repo_id} was changed while this was sent, and nothing was published. Push again: "
            "large files are not sent twice."
        )
    if status == 429 or status >= 500:
        return (
            f"The Hub answered with status {status}: {_said(error)} Push again later; "
            "files are never published in part."
        )
    return f"The Hub refused this with status {status}: {_said(error)}"


def _said(error: HfHubHTTPError) -> str:
    """Returns the Hub's own words, on one line."""
    words = " ".join((error.server_message or "no reason given").split())
    return words if words.endswith(".") else f"{words}."
