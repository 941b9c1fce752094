import asyncio

from dfjax.page.body import Body
from dfjax.page.limits import PageLimits

LIMITS = PageLimits(stall_seconds=0.2, min_bytes_per_second=1000)


def read(pieces, pause, *, max_bytes=10_000, **settings):
    """Returns the body that came, and the body as it was seen by the application."""

    async def receive():
        await asyncio.sleep(pause)
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def read_all():
        body, came = Body(receive, max_bytes, LIMITS, **settings), b""
        while True:
            message = await body.receive()
            if message["type"] == "http.disconnect":
                return body, came
            came += message["body"]

    return asyncio.run(read_all())


def test_a_body_that_keeps_to_the_limits_comes_whole_and_is_counted():
    counted, gone = [], []
    body, came = read(
        [b"x" * 500] * 4, 0.01, on_bytes=counted.append, on_gone=lambda: gone.append(1)
    )
    assert came == b"x" * 2000 and body.cut is None
    assert sum(counted) == body.num_bytes == 2000
    assert gone == [1]


def test_a_body_that_is_too_long_is_cut():
    body, came = read([b"x" * 600] * 4, 0, max_bytes=1000)
    assert body.cut and body.cut.status == 413 and len(came) <= 1000


def test_a_body_that_pauses_too_long_is_cut():
    body, _ = read([b"x"] * 4, 0.5)
    assert body.cut and body.cut.status == 408 and "Nothing came" in str(body.cut)


def test_a_body_that_never_pauses_but_drips_is_cut():
    body, came = read([b"x"] * 1000, 0.02)
    assert body.cut and body.cut.status == 408 and "bytes a second" in str(body.cut)
    assert len(came) < 100


def test_a_small_body_may_be_slow_for_as_long_as_a_pause_may_be():
    body, came = read([b"x"] * 4, 0.02)
    assert body.cut is None and came == b"xxxx"
