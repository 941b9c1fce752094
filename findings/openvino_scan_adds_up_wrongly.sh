#!/usr/bin/env bash
# One would guess: a running sum in an ONNX Scan (state + 3 * row) is the same in every runtime; where
# one cannot compute a model, it refuses it.
# What happens: on the CPU, OpenVINO gives 3, 4, 4, 4 for rows of ones instead of 3, 6, 9, 12, without
# an error or a warning: where the body is two element-wise operations in a row, the state is lost
# after the first step. With one operation (state + row), or with a product of matrices in the body,
# the sum is right. ONNX Runtime and ONNX's own evaluator agree on all of them.
# So whoever runs a recurrence there has to compare it with another runtime.
# Version: OpenVINO 2026.4.1, ONNX Runtime 1.32.0, onnx 1.23.2. Source: ONNX's specification of Scan.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__, "ONNX Runtime", onnxruntime.__version__)
print("OpenVINO", openvino.__version__)


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def running_sum(*nodes):
    """Returns a model whose body computes `next` from `state` and `row`."""
    three = numpy_helper.from_array(np.full(2, 3, np.float32), "three")
    steps = [helper.make_node(*node) for node in (*nodes, ("Identity", ["next"], ["sum"]))]
    ends = [value("next", 2), value("sum", 2)]
    body = helper.make_graph(steps, "body", [value("state", 2), value("row", 2)], ends, [three])
    scan = helper.make_node("Scan", ["start", "rows"], ["last", "sums"], body=body, num_scan_inputs=1)
    inputs = [value("start", 2), value("rows", "n", 2)]
    graph = helper.make_graph([scan], "graph", inputs, [value("sums", "n", 2)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def answers(model):
    data = {"start": np.zeros(2, np.float32), "rows": np.ones((4, 2), np.float32)}
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content, b""), "CPU")
    return [
        found[:, 0].tolist()
        for found in (
            ReferenceEvaluator(model).run(["sums"], data)[0],
            session.run(["sums"], data)[0],
            compiled(data)["sums"],
        )
    ]


tripled = running_sum(("Mul", ["row", "three"], ["product"]), ("Add", ["state", "product"], ["next"]))
plain = running_sum(("Add", ["state", "row"], ["next"]))
for name, model in {"state + 3 * row": tripled, "state + row": plain}.items():
    print(name, *zip(("onnx", "ONNX Runtime", "OpenVINO"), answers(model)))
reference, runtime, other = answers(tripled)
assert reference == runtime == [3, 6, 9, 12]
assert other != reference, "OpenVINO now agrees"
assert answers(plain) == [[1, 2, 3, 4]] * 3
PYTHON
