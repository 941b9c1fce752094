import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dfjax.page import server


@pytest.fixture
def client():

    async def count(request):
        return PlainTextResponse(str(len(await request.body())))

    paths = ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/process_recording")
    routes = [Route(path, count, methods=["GET", "POST"]) for path in paths]
    return TestClient(
        Starlette(
            routes=routes, middleware=[Middleware(server.Guard, max_upload_bytes=3 * 1024**2)]
        )
    )


def test_a_small_request_passes_with_the_headers_that_keep_the_page_at_home(client):
    answer = client.post("/gradio_api/queue/join", content=b"x" * 1000)
    assert answer.text == "1000"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_only_an_upload_may_be_large_and_it_too_has_a_limit(client):
    megabyte = 1024**2
    assert client.post("/gradio_api/queue/join", content=b"x" * 2 * megabyte).status_code == 413
    assert client.post("/gradio_api/upload", content=b"x" * 2 * megabyte).status_code == 200
    assert client.post("/gradio_api/upload", content=b"x" * 5 * megabyte).status_code == 413


def test_a_body_without_a_stated_length_is_cut_off(client):
    chunks = (b"x" * 65536 for _ in range(64))
    with pytest.raises(ClientDisconnect):
        client.post("/gradio_api/queue/join", content=chunks)


@pytest.mark.parametrize("path", ["process_recording", "process_recording/"])
def test_the_screen_recorder_is_closed(client, path):
    assert client.post(f"/gradio_api/{path}", content=b"x").status_code == 404


def test_old_files_are_swept_and_young_ones_stay(tmp_path):
    (tmp_path / "a").mkdir()
    old = tmp_path / "a" / "old.mp4"
    old.write_bytes(b"x")
    server.sweep(tmp_path, max_age=60)
    assert old.exists()
    # A file's change time cannot be set, so the clock's other hand is moved.
    server.sweep(tmp_path, max_age=-60)
    assert not old.exists() and old.parent.is_dir()


def test_the_page_fetches_no_font():
    assert server.theme()._stylesheets == []
