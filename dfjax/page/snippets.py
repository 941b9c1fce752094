"""How other programs ask this page, in programs that run as they stand.

README.md shows the same ones; a test runs them.
"""

import re
from collections.abc import Mapping

from dfjax.page.rendering import render

SNIPPETS: Mapping[str, str] = {
    "curl": """\
file=$(curl -s -F files=@FILE URL/gradio_api/upload | cut -d '"' -f 2)
id=$(curl -s -H "Content-Type: application/json" URL/gradio_api/call/predict \\
  -d '{"data": [{"path": "'"$file"'", "meta": {"_type": "gradio.FileData"}}]}' | cut -d '"' -f 4)
curl -s -N "URL/gradio_api/call/predict/$id"
""",
    "python": """\
import os, time

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # before gradio_client is imported
from gradio_client import Client, handle_file

client = Client("URL", verbose=False)
video = handle_file("FILE")
report = client.predict(video, api_name="/predict")
print(report["label"], report["probability_fake"])

job = client.submit([video, video], api_name="/predict_batch")  # several files
while not job.done():
    for unit in job.status().progress_data or []:
        print(unit.desc, unit.progress)
    time.sleep(0.5)
for report in job.result():
    print(report.get("error") or report["label"])
""",
    "javascript": """\
import { readFile } from "node:fs/promises";
import { Client, handle_file } from "@gradio/client";

const client = await Client.connect("URL", { events: ["data", "status"] });
const video = new File([await readFile("FILE")], "sample.mp4");
for await (const message of client.submit("/predict", { video: handle_file(video) })) {
  for (const { desc, progress } of message.progress_data ?? []) console.log(desc, progress);
  if (message.type === "data") console.log(message.data[0].label);
}
client.close();
""",
    "mcp": """\
{"mcpServers": {"dfjax": {"url": "URL/gradio_api/mcp/"}}}
""",
}
"""By name; URL stands for the page's address, FILE for a video."""


def snippet(name: str, *, url: str, file: str) -> str:
    """Returns a program for a page at this address and for this file.

    Args:
      name: One of `SNIPPETS`.
      url: The page's address, without a slash at its end.
      file: The path of a video.
    """
    values = {"URL": url, "FILE": file}
    return re.sub("URL|FILE", lambda match: values[match.group()], SNIPPETS[name])


def api_page(url: str, max_files: int) -> str:
    """Returns the page that says how to use the API, as HTML.

    Args:
      url: As for `snippet`.
      max_files: How many files `/predict_batch` takes.
    """
    names = {name: snippet(name, url=url, file="sample.mp4") for name in SNIPPETS}
    return render("api.html", url=url, max_files=max_files, snippets=names)
