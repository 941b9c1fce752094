#!/usr/bin/env bash
# One would guess: a library for inference, installed from PyPI on Linux, leaves nothing on the disk
# but what the program asks for.
# What happens: the wheel keeps a device number and a database of events in the user's cache folder
# as soon as a session is made. Only the variable ORT_DISABLE_TELEMETRY=1, set before the import,
# prevents it.
# Version: onnxruntime 1.32.0 on Linux x86-64. Source: the files that appear, printed below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat >"$folder/sum.py" <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
total = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "sum", [value], [total])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString())
print("onnxruntime", onnxruntime.__version__, session.run(None, {"x": np.ones(2, np.float32)}))
PYTHON
count() { # runs it with a home of its own, and the variables given; prints how many files it leaves
  local home
  home=$(mktemp -d "$folder/home.XXXXXX")
  env -i PATH="$PATH" HOME="$home" TMPDIR="$home" "$@" "$folder/venv/bin/python" -B "$folder/sum.py" >&2
  find "$home" -type f -printf '%P\n' >&2
  find "$home" -type f | wc -l
}
as_it_is=$(count A=B)
disabled=$(count ORT_DISABLE_TELEMETRY=1)
echo "files left behind: $as_it_is; with ORT_DISABLE_TELEMETRY=1: $disabled"
test "$as_it_is" -gt 0 && test "$disabled" -eq 0
