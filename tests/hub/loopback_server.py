"""The plumbing of the loopback Hub: a request taken apart, an answer, a server on a free port."""

import dataclasses
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclasses.dataclass(frozen=True)
class Call:
    """A request, taken apart."""

    origin: str  # "hub" | "storage"
    method: str
    path: str  # without the query
    query: dict[str, str]
    token: str | None
    headers: Mapping[str, str]  # Names-In-Title-Case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclasses.dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class Refusal(Exception):
    """An answer with an error status, as the Hub words it in its headers."""

    def __init__(self, status: int, message: str, code: str = "", headers: dict | None = None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **(headers or {})}
        if code:
            self.headers["X-Error-Code"] = code


def json_answer(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def ranged(call: Call, content: bytes, headers: dict[str, str]) -> Answer:
    """Returns the content, or the part of it that a Range header asks for."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("Range", ""))
    if asked is None:
        return Answer(content, headers=headers)
    start, end = int(asked[1]), int(asked[2] or len(content) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Answer(content[start : end + 1], 206, headers)


def make_server(origin: str, answer_to: Callable[[Call], Answer]) -> ThreadingHTTPServer:
    """Returns a server on a free port of loopback, not yet running."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20  # seconds that an idle connection is kept

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(iter(self._read_chunk, b""))
            headers = {name.title(): value for name, value in self.headers.items()}
            path, _, query = self.path.partition("?")
            answer = answer_to(
                Call(
                    origin=origin,
                    method=self.command,
                    path=path,
                    query=dict(urllib.parse.parse_qsl(query)),
                    token=headers.get("Authorization", "").removeprefix("Bearer ") or None,
                    headers=headers,
                    body=body,
                )
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

        def _read_chunk(self) -> bytes:
            size = int(self.rfile.readline(), 16)
            chunk = self.rfile.read(size)
            self.rfile.readline()
            return chunk

        def log_message(self, format: str, *args: object) -> None:
            """Keeps quiet: the requests are recorded."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
