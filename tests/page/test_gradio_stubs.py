"""Gradio's import without its type stubs: what it leaves alone, and that nothing else changes."""

import os
import subprocess
import sys
from pathlib import Path

_IMPORT = """
import sys

from dfjax.page.gradio_stubs import leave_stubs_alone
leave_stubs_alone()
import gradio
assert [finder for finder in sys.meta_path if "dfjax" in type(finder).__module__] == []

class OfOurs(gradio.HTML):
    def example_value(self):
        return "as before"

with gradio.Blocks() as page:
    button, text = gradio.Button(), OfOurs()
    button.click(lambda: "", None, text)
print(text.example_value(), len(page.fns))
"""


def _run(script: str, folder: Path) -> str:
    file = folder / "script.py"
    file.write_text(script)
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, str(file)],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_component_works_and_gets_no_stub(tmp_path: Path):
    assert _run(_IMPORT, tmp_path) == "as before 1\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "script.py"]


def test_gradio_by_itself_still_writes_one(tmp_path: Path):
    """Once it does not, there is nothing to leave out any more."""
    assert _run(_IMPORT.replace("leave_stubs_alone()\n", "", 1), tmp_path) == "as before 1\n"
    assert (tmp_path / "script.pyi").is_file()


def test_after_gradio_nothing_is_changed():
    script = (
        "import sys, gradio; before = list(sys.meta_path)\n"
        "from dfjax.page.gradio_stubs import leave_stubs_alone\n"
        "leave_stubs_alone(); assert sys.meta_path == before\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True)
