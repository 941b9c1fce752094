"""Where the browser sends a camera's frames: each in one request, answered with its score.

Gradio's own streaming sends frames as base64 in JSON through its queue, and the next one whether or
not the last one has been answered. Here a frame is the body of a request, and the browser sends the
next one after the answer: the delay cannot grow, and frames that come too fast are never sent.
"""

import dataclasses
import io
import re

import numpy as np
from PIL import Image, UnidentifiedImageError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from dfjax.json_values import to_json_value
from dfjax.page import live_texts
from dfjax.page.live_sessions import LiveSessions
from dfjax.page.refusal import Refusal
from dfjax.page.routes import LIVE

_MAX_SIDE = 1280  # pixels of a frame

_SESSION = re.compile(LIVE + r"/(?P<session>[\w-]{1,64})$")


class LiveEndpoint:
    """Opens sessions (POST), scores their frames (PUT) and ends them (POST with `close`)."""

    def __init__(self, sessions: LiveSessions):
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, client: str) -> None:
        """Answers one request of a client.

        Raises:
          Refusal: It is not acted on.
        """
        request = Request(scope, receive)
        response = await self._answer(request, client)
        await response(scope, receive, send)

    async def _answer(self, request: Request, client: str) -> Response:
        found = _SESSION.match(request.url.path)
        if request.method == "POST" and request.url.path == LIVE:
            name = await run_in_threadpool(self.sessions.open, client)
            return JSONResponse({"session": name})
        if request.method == "POST" and found and "close" in request.query_params:
            self.sessions.close(found["session"], client)
            return Response(status_code=204)
        if request.method == "PUT" and found:
            return await self._score(request, found["session"], client)
        raise Refusal(404, "closed", "There is nothing at this address.")

    async def _score(self, request: Request, session: str, client: str) -> Response:
        """Returns the score of the frame in a request's body."""
        try:
            timestamp = float(request.query_params.get("t", ""))
        except ValueError:
            raise Refusal(400, "malformed", live_texts.NO_TIME) from None
        data = await request.body()

        def score() -> Response:
            frame = decode_frame(data)
            scored = self.sessions.score(session, client, frame, timestamp)
            height, width = frame.shape[:2]
            return JSONResponse(
                {**to_json_value(dataclasses.asdict(scored)), "width": width, "height": height}
            )

        return await run_in_threadpool(score)


def decode_frame(data: bytes) -> np.ndarray:
    """Returns a frame that a browser sent: uint8 [H, W, 3] RGB.

    Raises:
      Refusal: It is no JPEG picture, or too large a one.
    """
    refusal = Refusal(400, "malformed", live_texts.NO_FRAME.format(side=_MAX_SIDE))
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            if max(picture.size) > _MAX_SIDE:
                raise refusal
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        raise refusal from None
