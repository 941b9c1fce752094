"""A small project in place of ours, to make a Space of: its app is a web server of four lines."""

from pathlib import Path

README = """\
---
title: A Space
sdk: gradio
sdk_version: 6.31.0
python_version: "3.11"
app_file: app.py
---
# A Space
"""

APP = """\
import http.server, os
assert "HF_TOKEN" not in os.environ and "DFJAX_MODEL" not in os.environ
open("written_while_running.py", "w").close()
address = (os.environ["GRADIO_SERVER_NAME"], int(os.environ["GRADIO_SERVER_PORT"]))
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def write_project(project: Path) -> Path:
    (project / "dfjax" / "page" / "__pycache__").mkdir(parents=True)
    (project / "dfjax" / "page" / "templates").mkdir()
    (project / "tests").mkdir()
    for name, text in {
        "app.py": APP,
        "README.md": README,
        "LICENSE": "",
        "requirements.txt": "numpy>=2\njax>=0.9  # on any machine\n",
        "requirements-gpu.txt": "# NVIDIA\njax[cuda12]>=0.9\n",
        "requirements.lock": "",
        "dfjax/__init__.py": "",
        "dfjax/page/blocks.py": "",
        "dfjax/page/style.css": "",
        "dfjax/page/templates/result.html": "",
        "dfjax/page/.hidden.py": "",
        "dfjax/page/notes.txt": "",
        "dfjax/page/__pycache__/blocks.py": "",
        "tests/test_app.py": "",
        ".env": "",
        "train.py": "",
    }.items():
        (project / name).write_text(text)
    return project
