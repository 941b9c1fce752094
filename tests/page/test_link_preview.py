import io
import re

from PIL import Image
from starlette.datastructures import URL

from dfjax.page.link_preview import PICTURE, picture, tags, with_tags
from dfjax.words import words


def test_a_link_shows_the_title_and_picture_of_this_page_and_of_no_other(http, served_page):
    page = http.get(f"{served_page.url}/").text
    found = re.findall(
        r'<meta\s+(?:property|name)="((?:og|twitter):[^"]+)"\s+content="([^"]*)"', page
    )
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    shown = dict(found)
    assert shown["og:title"] == words.page.title
    assert shown["og:image"] == served_page.url + PICTURE
    assert "Gradio" not in "".join(shown.values())
    answer = http.get(shown["og:image"])
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)


def test_the_page_still_holds_all_that_gradio_put_there(http, served_page):
    answer = http.get(f"{served_page.url}/", headers={"accept-encoding": "identity"})
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "window.gradio_config" in answer.text and "</html>" in answer.text


def test_a_browser_gets_the_page_compressed(http, served_page):
    plain = http.get(f"{served_page.url}/", headers={"accept-encoding": "identity"})
    answer = http.get(f"{served_page.url}/", headers={"accept-encoding": "gzip, br"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == plain.content
    assert int(answer.headers["content-length"]) < len(plain.content) / 3


def test_addresses_are_of_the_name_by_which_the_page_was_asked_for():
    head = tags(URL("https://someone-check.hf.space/?theme=dark"))
    assert 'content="https://someone-check.hf.space/link-preview.png"' in head
    assert 'content="https://someone-check.hf.space/"' in head
    assert "<script>" not in tags(URL('http://a"><script>/'))


def test_a_page_without_a_head_is_left_alone():
    assert with_tags(b"", "<meta>") == b""


def test_the_picture_is_small_and_made_once():
    assert picture() is picture()
    assert len(picture()) < 40_000
