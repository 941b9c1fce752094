#!/bin/sh
# Gradio reads only the first line of what a docstring says of a parameter.
#
# One would guess: a tool that Gradio serves to assistants (MCP) is described by its function's
# docstring, so a parameter whose description runs over two lines, as Google's style wraps it, keeps both.
# What happens: each line after "Args:" is read by itself, and those without the name of a parameter
# before a colon are dropped. A description ends in the middle of a sentence, without a warning; and a
# line that goes on with the name of another parameter and a colon becomes that parameter's. The
# lines before "Args:" are joined.
# Version: Gradio 6.31.0. Source: gradio/utils.py, get_function_description.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "gradio==6.31.0"
GRADIO_ANALYTICS_ENABLED=False "$folder/venv/bin/python" - <<'PYTHON'
import gradio
from gradio.utils import get_function_description

print("Gradio", gradio.__version__)


def check(video: str, effort: str) -> str:
    """Checks a video
    for faces.

    Args:
      video: Where the video is: a path that an upload returned,
        and never an address.
      effort: How closely to look.

    Returns:
      The verdict.
    """
    return video + effort


description, parameters, returns = get_function_description(check)
print(repr(description))
print(parameters)
assert description == "Checks a video for faces."
assert returns == ["The verdict."]
assert parameters["effort"] == "How closely to look."
assert parameters["video"] == "Where the video is: a path that an upload returned,"
PYTHON
