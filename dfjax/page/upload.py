"""The one way a file comes in: uploaded to this server, never fetched from an address."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj, traverse

_NO_ADDRESSES = (
    "Addresses are not fetched. Upload the file: POST it to /gradio_api/upload, "
    "then name the path that this returns."
)

_NOT_HERE = "The file is not, or no longer, on this server. Please upload it again."

_OWN_FILE = "/gradio_api/file="


class UploadBlocks(gr.Blocks):
    """Blocks whose events take uploaded files and nothing else.

    Gradio fetches an http(s) address that a caller puts where a file belongs, without a limit on
    its size, for any input of any event. Here it is refused before anything is sent. A folder is
    refused too: Gradio would try to delete it as if it were a file, and then delete nothing more.
    """

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Returns an event's inputs as its function takes them.

        Raises:
          gr.Error: What is named as a file is not one that was uploaded.
        """
        inputs = traverse(inputs, _as_upload, is_file_obj)
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)


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
        path = unquote(urlsplit(path).path)
        if _OWN_FILE not in path:
            raise gr.Error(_NO_ADDRESSES, print_exception=False)
        path = path.split(_OWN_FILE, 1)[1]
    # One message for both, or a caller could ask which files the server has.
    resolved = Path(path).resolve()
    if not resolved.is_relative_to(uploads.resolve()) or not resolved.is_file():
        raise gr.Error(_NOT_HERE, print_exception=False)
    return str(resolved)


def _as_upload(file: dict[str, Any]) -> dict[str, Any]:
    return {**file, "path": upload_path(file["path"], Path(get_upload_folder()))}
