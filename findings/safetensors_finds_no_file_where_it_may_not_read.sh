#!/usr/bin/env bash
# One would guess: whoever opens a safetensors file without the right to read it gets a PermissionError, as from open().
# What happens: safe_open and load_file raise FileNotFoundError, "No such file or directory", though the file is
# there. A program that answers it with "download the model again" sends people the wrong way, for example where a
# container runs as another user than the one who wrote the weights.
# Version: safetensors 0.8.0, numpy 2.4.6, Python 3.11 on Linux. Source: the errors themselves, printed below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import sys
from pathlib import Path

import numpy as np
import safetensors
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

print("safetensors", safetensors.__version__, "numpy", np.__version__)
folder = Path(sys.argv[1])
path = folder / "model.safetensors"
save_file({"a": np.zeros(1, np.float32)}, path)
assert load_file(path).keys() == {"a"}
folder.chmod(0o755)
path.chmod(0)
if os.getuid() == 0:  # who may read everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
assert path.exists() and not os.access(path, os.R_OK)


def error_of(read) -> str:
    try:
        read()
    except OSError as error:
        return type(error).__name__
    return "none"


found = {
    "open": error_of(lambda: open(path, "rb")),
    "safe_open": error_of(lambda: safe_open(path, framework="numpy").__enter__()),
    "load_file": error_of(lambda: load_file(path)),
}
print(found)
assert found["open"] == "PermissionError"
assert found["safe_open"] == found["load_file"] == "FileNotFoundError"
PYTHON
