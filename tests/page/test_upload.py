import asyncio
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from dfjax.page.upload import UploadBlocks, upload_path

META = {"_type": "gradio.FileData"}

ADDRESSES = [
    "http://127.0.0.1:9/clip.mp4",
    "https://example.com/clip.mp4",
    "HTTP://example.com/clip.mp4",
    "ftp://example.com/clip.mp4",
    "file:///etc/passwd",
    "concat://a.mp4|b.mp4",
]


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    (folder / "0f").mkdir(parents=True)
    (folder / "0f" / "my clip.mp4").write_bytes(b"video")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "0f" / "link.mp4").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_refused(uploads, address):
    with pytest.raises(gr.Error, match="Addresses are not fetched"):
        upload_path(address, uploads)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/no-such-file",
        "{uploads}/../secret.txt",
        "{uploads}/0f/link.mp4",
        "{uploads}/0f/gone.mp4",
        "{uploads}/0f",
        "{uploads}",
        "secret.txt",
        "",
        "http://any.host/gradio_api/file=/etc/passwd",
        "http://any.host/gradio_api/file={uploads}/../secret.txt",
    ],
)
def test_what_was_not_uploaded_is_refused_and_never_told_apart_from_what_is_not_there(
    uploads, path
):
    with pytest.raises(gr.Error, match="not, or no longer, on this server"):
        upload_path(path.format(uploads=uploads), uploads)


@pytest.mark.parametrize("component", [gr.File, gr.JSON, gr.Textbox])
def test_no_input_of_any_event_makes_a_request(uploads, component, monkeypatch):
    def no_request(*args, **kwargs):
        raise AssertionError("a request was made")

    monkeypatch.setattr("socket.socket.connect", no_request)
    monkeypatch.setattr("socket.getaddrinfo", no_request)

    async def call():
        with UploadBlocks() as blocks:
            block = component()
        event = SimpleNamespace(
            inputs=[block], preprocess=False, component_prop_inputs=[], targets=[]
        )
        file = {"path": ADDRESSES[0], "meta": META}
        for value in (file, [file], {"deep": [{"down": file}]}):
            with pytest.raises(gr.Error, match="Addresses are not fetched"):
                await blocks.preprocess_data(event, [value], None)

    asyncio.run(call())


def test_an_upload_is_taken_by_its_path_and_by_its_own_address(uploads):
    path = str(uploads / "0f" / "my clip.mp4")
    address = f"https://any.host:7860/gradio_api/file={path}".replace(" ", "%20")
    assert upload_path(path, uploads) == upload_path(address, uploads) == path


def test_nothing_of_a_file_or_its_result_stays_in_the_session(uploads):
    file = {"path": str(uploads / "0f" / "my clip.mp4"), "orig_name": "secret.mp4", "meta": META}

    async def remembered():
        with UploadBlocks(analytics_enabled=False) as page:
            video, result = gr.File(), gr.HTML()
            gr.Button().click(lambda _: "<b>a face</b>", video, result, preprocess=False)
        (event,) = page.fns.values()
        session = SessionState(page)
        answer = await page.process_api(event, [file], state=session)
        kept = [vars(block) for block in session.blocks_config.blocks.values()]
        return answer["data"], f"{session.config_values} {session.state_data} {kept}"

    data, kept = asyncio.run(remembered())
    assert data == ["<b>a face</b>"]
    assert "a face" not in kept and "secret" not in kept
