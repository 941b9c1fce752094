"""The one way a file comes in: uploaded to this server, never fetched from an address."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj, is_file_obj_with_meta, traverse

from dfjax.page import texts
from dfjax.page.fair_queue import FairQueue
from dfjax.page.language import in_other_words, language_of
from dfjax.page.limits import PageLimits
from dfjax.page.live_sessions import LiveSessions
from dfjax.page.log import fields
from dfjax.page.upload_folder import OWN_FILE
from dfjax.video.formats import shown_name
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES
from dfjax.words import ENGLISH, language, speaking, words

_LOG = logging.getLogger(__name__)

ACCEPTED = ",".join(("video/*", *VIDEO_SUFFIXES, *STILL_SUFFIXES))
"""What a browser's dialog offers. Some systems know no type for these endings, so they are named in
addition to the type."""

_NO_ADDRESSES = (
    "Addresses are not fetched. Upload the file: POST it to /gradio_api/upload, "
    "then name the path that this returns."
)


class UploadBlocks(gr.Blocks):
    """Blocks whose events take uploaded files and nothing else.

    Gradio fetches an http(s) address that a caller puts where a file belongs, without a limit on
    its size, for any input of any event. Here it is refused before anything is sent. A folder is
    refused too: Gradio would try to delete it as if it were a file, and then delete nothing more.
    """

    live: LiveSessions | None = None
    """The cameras that are scored; None: the page has no live tab."""

    translations: dict[str, dict[str, Any]] = {}
    """By language: what Gradio would send of a page that is laid out in the same way in it."""

    @property
    def config(self) -> Any:
        """What Gradio sends of the page to browsers, in the language that is spoken."""
        other = self.translations.get(language())
        return self._config if other is None else in_other_words(self._config, other)

    @config.setter
    def config(self, config: Any) -> None:
        self._config = config

    def queue(self, *args: Any, limits: PageLimits = PageLimits(), **kwargs: Any) -> "UploadBlocks":
        """Makes the queue; takes Gradio's own arguments, and the limits on visitors."""
        super().queue(*args, **kwargs)
        plain = self._queue
        self._queue = FairQueue(
            plain.live_updates,
            plain.max_thread_count,
            plain.update_intervals,
            plain.max_size,
            self,
            plain.default_concurrency_limit,
            limits=limits,
        )
        return self

    async def process_api(self, block_fn: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Runs an event; its errors are sentences.

        Raises:
          gr.Error: Something is wrong with the request, or with the server.
        """
        if block_fn.fn is None:
            raise gr.Error(texts.HOW_TO_CALL, print_exception=False)
        is_for_programs = block_fn.api_visibility == "public"  # to them, all is English
        with speaking(ENGLISH if is_for_programs else language_of(kwargs.get("request"))):
            try:
                return await super().process_api(block_fn, *args, **kwargs)
            except gr.Error:
                raise
            except Exception:
                # The last line before a stranger: the log gets the error, the client a sentence.
                _LOG.exception("an event failed")
                raise gr.Error(words.page.our_fault, print_exception=False) from None

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Returns an event's inputs as its function takes them.

        Raises:
          gr.Error: What is named as a file is not one that was uploaded, or there is no file.
        """
        try:
            # Who calls with the file alone gets the defaults for the rest.
            inputs = [*inputs, *(block.value for block in block_fn.inputs[max(1, len(inputs)) :])]
            if len(inputs) < len(block_fn.inputs):
                raise gr.Error(f"{texts.NO_VIDEO} {texts.WHAT_A_FILE_IS}", print_exception=False)
            no_uploads: dict[int, dict[int, dict[str, Any]]] = {}
            for index, block in enumerate(block_fn.inputs):
                # Gradio's client for JavaScript fills a list that lacks values up with nulls.
                if inputs[index] is None and isinstance(block, gr.Radio):
                    inputs[index] = block.value
                if isinstance(block, gr.File) and block.file_count == "multiple":
                    inputs[index], no_uploads[index] = _as_uploads(inputs[index])
            inputs = traverse(inputs, _as_upload, is_file_obj)
            for index, block in enumerate(block_fn.inputs):
                is_one_file = isinstance(block, gr.File) and index not in no_uploads
                if is_one_file and not _is_upload_or_none(inputs[index]):
                    raise gr.Error(texts.WHAT_A_FILE_IS, print_exception=False)
            taken = await super().preprocess_data(block_fn, inputs, state, explicit_call)
            _forget(block_fn.inputs, state)
            for index, failures in no_uploads.items():
                for place, failure in failures.items():
                    taken[index].insert(place, failure)
            return taken
        except gr.Error as error:
            # The page asks for frames by itself, so no visitor is told that there are none.
            error.visible = all(name != "need_frames" for _, name in block_fn.targets)
            raise
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            # Gradio's checks of what a client sent: pydantic's errors are ValueErrors.
            _LOG.warning("an input was refused", extra=fields(error=type(error).__name__))
            raise gr.Error(texts.WHAT_A_FILE_IS, print_exception=False) from None

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Returns an event's outputs as they are sent. None is kept after that."""
        sent = await super().postprocess_data(block_fn, predictions, state)
        _forget(block_fn.outputs, state)
        return sent


def _forget(blocks: list[Any], state: Any) -> None:
    """Drops the values that Gradio keeps of a session, so that no face and no name of a file stays.

    They are for links to a page as somebody left it, which this page does not have.

    Args:
      blocks: Parts of the page.
      state: Gradio's, of the session; None: there is none.
    """
    if state is None:
        return
    for block in blocks:
        if block._id in state.config_values:
            state._update_value_in_config(block._id, None)


def upload_path(path_or_address: str, uploads: Path) -> str:
    """Returns the path of an uploaded file, from the path or from this server's address of it.

    MCP clients send such addresses. No request is made to one, whatever host it names.

    Args:
      path_or_address: What the caller sent.
      uploads: The folder of the uploads.

    Raises:
      gr.Error: It is the address of something else, or no file in that folder.
    """
    path = path_or_address
    if "://" in path:
        try:
            path = unquote(urlsplit(path).path)
        except ValueError:  # such as a bracket that is not closed
            raise gr.Error(_NO_ADDRESSES, print_exception=False) from None
        if OWN_FILE not in path:
            raise gr.Error(_NO_ADDRESSES, print_exception=False)
        path = path.split(OWN_FILE, 1)[1]
    # One message for all, or a caller could ask which files the server has.
    try:
        resolved = Path(path).resolve()
        is_upload = resolved.is_relative_to(uploads.resolve()) and resolved.is_file()
    except (ValueError, OSError):  # a NUL, or more letters than a path may have
        raise gr.Error(words.page.not_here, print_exception=False) from None
    if not is_upload:
        raise gr.Error(words.page.not_here, print_exception=False)
    return str(resolved)


def upload_name(file: dict[str, Any]) -> str:
    """Returns what the owner of an upload calls it: Gradio leaves letters out of its path.

    Args:
      file: As Gradio describes it. What a client says of the name is only ever shown.
    """
    return shown_name(file.get("orig_name") or "") or shown_name(file.get("path") or "")


def _is_upload_or_none(value: Any) -> bool:
    """Returns whether a value is nothing, or a file as Gradio describes it."""
    return value is None or is_file_obj_with_meta(value)


def _as_uploads(files: Any) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """Returns the files of a list that are uploads, and by place what is wrong with the others.

    Raises:
      gr.Error: It is no list.
    """
    if not isinstance(files, list | None):
        raise gr.Error(texts.WHAT_FILES_ARE, print_exception=False)
    uploads, failures = [], {}
    for place, file in enumerate(files or ()):
        try:
            if not is_file_obj_with_meta(file):
                raise gr.Error(texts.WHAT_A_FILE_IS)
            uploads.append(_as_upload(file))
        except gr.Error as error:
            path = file.get("path") if isinstance(file, dict) else None
            name = Path(path).name if isinstance(path, str) else ""
            failures[place] = {"orig_name": name, "error": error.message}
    return uploads, failures


def _as_upload(file: dict[str, Any]) -> dict[str, Any]:
    upload = {**file, "path": upload_path(file["path"], Path(get_upload_folder()))}
    if "://" in file["path"]:  # of which Gradio's client has made a name that is not its owner's
        upload["orig_name"] = None
    return upload
