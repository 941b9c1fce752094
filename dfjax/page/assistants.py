"""The tool that assistants find here, by the Model Context Protocol (MCP)."""

import base64
import binascii
import json
import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.mcp import GradioMCPServer
from gradio.processing_utils import hash_bytes
from gradio.route_utils import get_root_url
from gradio.utils import get_function_description
from gradio_client import handle_file
from mcp.types import TextContent

from dfjax.files import write_bytes_atomically
from dfjax.page import texts
from dfjax.page.fair_queue import CLIENT
from dfjax.page.hosts import space_hosts
from dfjax.page.limits import PageLimits
from dfjax.page.upload import UploadBlocks, upload_path
from dfjax.page.upload_folder import OWN_FILE, UploadFolder, no_room
from dfjax.version import __version__

_ENDPOINT = "/predict"

_ENVELOPE_BYTES = 4096  # of a call, around the file in it


class AssistantServer(GradioMCPServer):
    """Gradio's MCP server, with one tool, `predict`, that answers in JSON.

    Gradio asks for an address of the file, which this page never fetches. Here a file is named by
    the path that its upload returned, or by the address of that path, or comes along in base64.
    """

    def __init__(self, page: UploadBlocks, *, uploads: UploadFolder, limits: PageLimits):
        """Takes the page.

        Args:
          page: Its endpoint `/predict` is the tool.
          uploads: Where files are kept that come along with a call.
          limits: Say how large such a file may be.
        """
        super().__init__(page)
        self._uploads = uploads
        self._max_bytes = (limits.max_body_bytes - _ENVELOPE_BYTES) * 3 // 4

    def create_mcp_server(self) -> Any:
        """Returns the server, which calls itself by our version and not that of its library."""
        server = super().create_mcp_server()
        server.version = __version__
        return server

    def get_tool_to_endpoint(self) -> dict[str, str]:
        """Returns the tools by name: one."""
        tools = super().get_tool_to_endpoint()
        return {name: endpoint for name, endpoint in tools.items() if endpoint == _ENDPOINT}

    def get_fn_description(self, block_fn: Any, tool_name: str) -> tuple[str, dict[str, str]]:
        """Returns what a function's docstring says of it, and of its parameters."""
        del tool_name
        description, parameters, returns = get_function_description(block_fn.fn)
        parameters["video"] = f"{parameters['video']} {self._how_to_give_a_file()}"
        return " ".join([description, "Returns:", *returns]), parameters

    def get_input_schema(
        self, tool_name: str, parameters: dict[str, str] | None = None
    ) -> tuple[dict[str, Any], list[list[str | int]]]:
        """Returns the schema of a tool's input, and where in it a file is named."""
        schema, positions = super().get_input_schema(tool_name, parameters)
        described = (parameters or {}).get("video", "")
        schema["properties"]["video"] = {"type": "string", "description": described}
        return schema, positions

    def convert_strings_to_filedata(
        self, value: Mapping[str, Any], filedata_positions: list[list[str | int]]
    ) -> dict[str, Any]:
        """Returns the arguments of a call, with the file as Gradio's client takes it.

        Raises:
          ValueError: It is no file that is here, or that came along.
          Refusal: There is no room for one that came along.
        """
        del filedata_positions
        video = value.get("video")
        if not isinstance(video, str) or not video:
            raise ValueError(f"{texts.NO_VIDEO} {self._how_to_give_a_file()}")
        try:
            if video.startswith("data:"):
                path = self._keep(video)
            else:
                path = upload_path(video, self._uploads.folder)
        except gr.Error as error:
            raise ValueError(f"{error.message} {self._how_to_give_a_file()}") from None
        # As an address, or Gradio's client would read the path from the disk, and upload the file.
        return {**value, "video": handle_file(f"{self._root()}{OWN_FILE}{quote(path)}")}

    def postprocess_output_data(self, data: Any, root_url: str) -> list[Any]:
        """Returns the outputs of a call as JSON."""
        del root_url
        return [
            TextContent(type="text", text=json.dumps(output, ensure_ascii=False)) for output in data
        ]

    @staticmethod
    def _format_progress_message(update: Any) -> str | None:
        """Returns what an assistant is told of progress; Gradio says nothing of shares."""
        for unit in update.progress_data or []:
            if unit.desc and unit.progress is not None:
                return f"{unit.desc}: {unit.progress:.0%}"
        return GradioMCPServer._format_progress_message(update)

    def _keep(self, address: str) -> str:
        """Returns the path of the file that an address of the kind `data:` contains.

        Raises:
          gr.Error: It contains none.
          Refusal: There is no room for it.
        """
        head, comma, encoded = address.partition(",")
        try:
            content = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            content = b""
        if not (comma and head.endswith(";base64") and content):
            raise gr.Error(texts.WHAT_BASE64_IS)
        kind = head.removeprefix("data:").partition(";")[0]
        name = f"video{mimetypes.guess_extension(kind) or ''}"
        request = self._request()
        client = request.scope[CLIENT] if request else "unknown"
        with self._uploads.receive(client, len(content)) as arrival:
            arrival.count(len(content))
            # As Gradio keeps uploads, but whole or not at all: another's check may read the file.
            path = self._uploads.folder.resolve() / hash_bytes(content) / name
            try:
                write_bytes_atomically(path, content)
            except OSError as error:
                raise no_room(error) or error from None
            arrival.paths = (str(path),)
        return str(path)

    def _request(self) -> Any | None:
        """Returns the request that is being answered; None where it is not an assistant's."""
        try:
            return self.mcp_server.request_context.request
        except LookupError:
            return None

    def _root(self) -> str:
        """Returns the address of this page as the assistant knows it."""
        request = self._request()
        if request is None:
            names = space_hosts()
            return f"https://{names[0]}" if names else self.local_url or ""
        return get_root_url(request, self.get_route_path(request), self.root_path)

    def _how_to_give_a_file(self) -> str:
        return texts.HOW_TO_GIVE_A_FILE.format(
            root=self._root().rstrip("/"), max_bytes=self._max_bytes
        )
