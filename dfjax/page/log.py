"""The server's log: one line of JSON an event, without file names and without addresses."""

import hashlib
import json
import logging
import re
import secrets
import sys
import time
import traceback
from typing import Any

_SALT = secrets.token_bytes(16)  # of this process alone, so that no one can undo a hash

# Between quotes, or with a slash in it, a word may be what a visitor calls a file.
_PERHAPS_A_NAME = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[/\\]\S*|\S+\.\w{2,4}\b")

_MAX_TRACE = 20  # calls


def configure() -> None:
    """Sends what dfjax logs to standard error, a line of JSON an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger("dfjax")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def take_over() -> None:
    """Lets what others log as the page is served come as lines of JSON, too, once `configure` ran.

    Whoever sends the beginning of something that is no request, or no upload, is told of by the
    server and by the reader of forms, which would write lines of their own.
    """
    logging.getLogger().handlers = logging.getLogger("dfjax").handlers
    logging.getLogger("uvicorn").handlers = []
    logging.getLogger("uvicorn").propagate = True


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """Returns the `extra` of a log call that carries these fields."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def client_mark(client: str) -> str:
    """Returns what stands for a client in the log: the same one has the same, until a restart."""
    return hashlib.blake2b(client.encode(), key=_SALT, digest_size=6).hexdigest()


def _event(record: logging.LogRecord) -> str:
    """Returns what happened. Only dfjax is known to name no files."""
    message = record.getMessage()
    if record.name.partition(".")[0] == "dfjax":
        return message
    return f"{record.name}: {_PERHAPS_A_NAME.sub('…', message)[:300]}"


class _JsonLines(logging.Formatter):
    """Makes one line of JSON of a record. A traceback keeps its calls and loses its words."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": _event(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            calls = traceback.extract_tb(error.__traceback__)[-_MAX_TRACE:]
            line["error"] = type(error).__name__
            line["message"] = _PERHAPS_A_NAME.sub("…", str(error))[:300]
            line["calls"] = [f"{call.filename}:{call.lineno} {call.name}" for call in calls]
        return json.dumps(line, ensure_ascii=False, default=str)
