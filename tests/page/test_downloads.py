import base64
import dataclasses
import json
import re

from dfjax.page.downloads import downloads
from dfjax.page.origin import provenance_card
from dfjax.provenance import Provenance
from dfjax.reporting.spreadsheets import frames_csv
from dfjax.reporting.video_report import html_report
from dfjax.words import words
from tests.page.samples import sample_prediction


def test_what_is_downloaded_is_the_report_the_prediction_and_its_frames():
    prediction = sample_prediction("fake", name="my clip.mp4")
    links = re.findall(
        r'download="([^"]+)" href="data:([^;]+);base64,([^"]+)"', downloads(prediction)
    )
    files = {name: (kind, base64.b64decode(content)) for name, kind, content in links}
    page, data, frames = files.values()
    assert list(files) == [f"my_clip-report.{ending}" for ending in ("html", "json", "csv")]
    assert page == ("text/html", html_report(prediction).encode())
    assert json.loads(data[1]) == json.loads(json.dumps(prediction.to_dict()))
    assert frames[1].decode("utf-8-sig") == frames_csv(prediction)


def test_absent_credentials_are_said_to_be_normal_and_frames_in_memory_have_no_card():
    prediction = sample_prediction("fake")
    assert "That is normal" in provenance_card(prediction)
    assert provenance_card(dataclasses.replace(prediction, provenance=None)) == ""


def test_what_a_signer_calls_himself_is_text():
    said = Provenance(status="valid", signer="<b>x</b>", made_with_ai=True)
    card = provenance_card(dataclasses.replace(sample_prediction("real"), provenance=said))
    assert "&lt;b&gt;x&lt;/b&gt;" in card and words.provenance.ai in card
