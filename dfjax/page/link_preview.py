"""The head of the page: its language, and what other sites show of a link to it.

Gradio's page carries its own project's title and picture in its head, and readers of such tags take
the first ones. So the head is rewritten as it goes out, with the addresses under which the page was
asked for.
"""

import functools
import io
import re
from html import escape

from PIL import Image, ImageDraw, ImageFont
from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfjax.page.language import asked_language
from dfjax.words import language, speaking, words

PICTURE = "/link-preview.png"

_CONFIG = "/config"  # what the page holds, as the page itself has it, for clients that ask for it

_QUESTION = "Is this video a deepfake?"

_SHORT_ANSWER = "A verdict, its evidence frame by frame, and its limits."

_SIZE = (1200, 630)  # pixels, the shape that readers of links ask for

_ITS_TAGS = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')


class LinkPreview:
    """Middleware: rewrites the head of the page, compresses it, and answers with the picture."""

    def __init__(self, app: ASGIApp):
        self._app = app
        # Nothing in the page is secret, which compression could give away.
        self._compressed = GZipMiddleware(self._rewritten)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http" or scope["path"] not in ("/", _CONFIG, PICTURE):
            await self._app(scope, receive, send)
        elif scope["path"] == PICTURE:
            headers = {"cache-control": "public, max-age=86400"}
            answer = Response(picture(), media_type="image/png", headers=headers)
            await answer(scope, receive, send)
        else:
            await self._compressed(scope, receive, send)

    async def _rewritten(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = QueryParams(scope.get("query_string", b""))
        with speaking(asked_language(Headers(scope=scope), query)):
            await self._app(scope, receive, _Rewriting(scope, send).send)


class _Rewriting:
    """Holds the page back until it is whole."""

    def __init__(self, scope: Scope, send: Send):
        self._scope, self._send, self._language = scope, send, language()
        self._start: Message | None = None  # of a page; anything else passes
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Sends a message of ASGI on, or keeps it for later."""
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        with speaking(self._language):
            page = with_tags(bytes(self._body), tags(URL(scope=self._scope)))
        headers = MutableHeaders(scope=self._start)
        headers["content-length"] = str(len(page))
        headers["content-language"] = self._language
        headers.add_vary_header("accept-language")
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": page})


def _is_html(start: Message) -> bool:
    return dict(start["headers"]).get(b"content-type", b"").startswith(b"text/html")


def with_tags(page: bytes, ours: str) -> bytes:
    """Returns an HTML page with our tags in place of Gradio's, and the language that is spoken.

    Args:
      page: UTF-8.
      ours: HTML for the head.
    """
    page = _ITS_TAGS.sub(b"", page).replace(b'lang="en"', f'lang="{language()}"'.encode(), 1)
    return page.replace(b"<head>", b"<head>" + ours.encode(), 1)


def tags(address: URL) -> str:
    """Returns the tags for a page at an address; the picture's is in full, as readers want it."""
    image = str(address.replace(path=PICTURE, query=""))
    named = {
        "description": words.page.description,
        "og:type": "website",
        "og:site_name": "dfjax",
        "og:url": str(address.replace(query="")),
        "og:title": words.page.title,
        "og:description": words.page.description,
        "og:image": image,
        "og:image:width": str(_SIZE[0]),
        "og:image:height": str(_SIZE[1]),
        "og:image:alt": words.page.title,
        "twitter:card": "summary_large_image",
    }
    return "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" '
        f'content="{escape(content)}">'
        for name, content in named.items()
    )


@functools.cache
def picture() -> bytes:
    """Returns the picture as a PNG: the project's mark, and the question that the page answers.

    It is English, since sites that show a link ask for it once for all their readers.
    """
    picture = Image.new("RGB", _SIZE, "#0f172a")
    draw = ImageDraw.Draw(picture)
    # The mark of the page's head, drawn on its grid of 24 units.
    unit, left, top = 9, 71, 86

    def line(*points: tuple[float, float], colour: str = "#a5b4fc") -> None:
        corners = [(left + unit * x, top + unit * y) for x, y in points]
        draw.line(corners, fill=colour, width=16, joint="curve")

    for x, y in ((3, 3), (21, 3), (21, 21), (3, 21)):
        to_x, to_y = (1 if x < 12 else -1), (1 if y < 12 else -1)
        line((x + 5 * to_x, y), (x, y), (x, y + 5 * to_y))
    line((7.5, 12.2), (9.5, 12.2), (10.9, 8.8), (13.1, 15.4), (14.5, 12.2), (16.5, 12.2))
    draw.text((left + 236, 128), "dfjax", font=ImageFont.load_default(110), fill="#f1f5f9")
    draw.text((90, 340), _QUESTION, font=ImageFont.load_default(78), fill="#f1f5f9")
    draw.text((90, 462), _SHORT_ANSWER, font=ImageFont.load_default(38), fill="#aab8cc")
    buffer = io.BytesIO()
    picture.quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
