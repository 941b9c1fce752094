#!/bin/sh
# In OpenVINO, the body of an ONNX Scan does not see what the graph around it has computed.
#
# One would guess: the body of a loop may use any value of the graph around it, as the ONNX standard
# says ("names from the outer scope"), so a constant that is stored in float16 can be cast once, outside.
# What happens: ONNX's checker accepts the model and ONNX Runtime runs it. OpenVINO counts the outer
# value as one more input of the loop, and refuses to convert it: "Number of Scan node inputs (2) is
# less than required (3)". A constant of the outer graph that nothing computes is fine, and so is the
# same cast within the body.
# Version: OpenVINO 2026.4.1 with onnx 1.23.2 and ONNX Runtime 1.32.0. Source: OpenVINO,
# src/frontends/onnx/frontend/src/op/scan.cpp.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "openvino==2026.4.1" "onnx==1.23.2" "onnxruntime==1.32.0"
"$folder/venv/bin/pip" uninstall --quiet --yes openvino-telemetry # nothing is to be reported
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

print("OpenVINO", openvino.__version__)
WEIGHT = 3 * np.eye(2, dtype=np.float32)
ROW, ROWS = [1, 2], ["rows", 1, 2]


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(cast_is_outside, stored=np.float16):
    """Returns a running sum of rows times a matrix, which is stored in the outer graph."""
    weight = numpy_helper.from_array(WEIGHT.astype(stored), "stored")
    cast = [helper.make_node("Cast", ["stored"], ["weight"], to=TensorProto.FLOAT)]
    body = helper.make_graph(
        [
            *([] if cast_is_outside else cast),
            helper.make_node("MatMul", ["row", "weight"], ["product"]),
            helper.make_node("Add", ["total", "product"], ["next"]),
            helper.make_node("Identity", ["next"], ["so_far"]),
        ],
        "body",
        [value("total", ROW), value("row", ROW)],
        [value("next", ROW), value("so_far", ROW)],
    )
    loop = helper.make_node(
        "Scan", ["start", "rows"], ["last", "sums"], body=body, num_scan_inputs=1
    )
    graph = helper.make_graph(
        [*(cast if cast_is_outside else []), loop],
        "graph",
        [value("start", ROW), value("rows", ROWS)],
        [value("sums", ROWS)],
        initializer=[weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


inputs = {"start": np.zeros(ROW, np.float32), "rows": np.ones((3, *ROW), np.float32)}
expected = np.array([3.0, 6.0, 9.0])


def in_onnx_runtime(made):
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    return session.run(["sums"], inputs)[0][:, 0, 0]


def in_openvino(made):
    core = openvino.Core()
    return core.compile_model(core.read_model(made, b""), "CPU")(inputs)["sums"][:, 0, 0]


for cast_is_outside in (False, True):
    np.testing.assert_allclose(in_onnx_runtime(model(cast_is_outside)), expected)
print("ONNX Runtime: both run")
np.testing.assert_allclose(in_openvino(model(False)), expected)
print("OpenVINO, cast in the body: runs")
try:
    in_openvino(model(True))
except Exception as error:
    (line,) = (line for line in str(error).splitlines() if "Number of Scan" in line)
    print("OpenVINO, cast outside:", line)
else:
    raise AssertionError("OpenVINO converts it now")
PYTHON
