"""Writes an ONNX graph node by node; a value is known by its name."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""The version of ONNX's operators: recent enough for `LayerNormalization`, known to all readers."""

_IR_VERSION = 9  # of the file format; readers refuse newer ones than they know


class Value(NamedTuple):
    """An input or output of a graph."""

    name: str
    dtype: np.dtype | type
    shape: Sequence[int | str]  # a word is a size that is only known when the graph is run


class Graph:
    """An ONNX graph that is being written."""

    def __init__(self, prefix: str = ""):
        """Begins a graph.

        Args:
          prefix: Of the names of its values. The body of a loop sees those of the graph around it,
            and must not have any name in common with it.
        """
        self._prefix = prefix
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Adds a node with one output, and returns the output's name.

        Args:
          operator: One of ONNX's operators.
          *inputs: Names of values.
          name: Of the output; None: a number.
          **attributes: As the operator defines them.
        """
        output = name or f"{self._prefix}v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def scan(
        self,
        body: "Graph",
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        *,
        states: Sequence[str],
        sequences: Sequence[str],
        reverse: bool,
    ) -> str:
        """Adds a loop over the first axis of sequences; returns the sequence of its last output.

        Args:
          body: What is computed at each step.
          inputs: Of the body: the states, then one row of each sequence.
          outputs: Of the body: the new states, then one row of the result.
          states: The states before the first step.
          sequences: What the loop runs over.
          reverse: Run from the last row to the first; the result keeps the order.
        """
        number = len(self._nodes)
        names = [f"v{number}_{n}" for n in range(len(states))] + [f"v{number}"]
        directions = [int(reverse)]
        self._nodes.append(
            helper.make_node(
                "Scan",
                [*states, *sequences],
                names,
                body=body._graph("body", inputs, outputs),
                num_scan_inputs=len(sequences),
                scan_input_directions=directions * len(sequences),
                scan_output_directions=directions,
            )
        )
        return names[-1]

    def weight(self, array: np.ndarray) -> str:
        """Adds a constant of numbers, and returns its name.

        Floating-point numbers are computed with as float32. Those stored in fewer bits stay so in
        the graph, which halves it; runtimes convert them once, when they load it.
        """
        is_float = array.dtype.kind not in "iub"
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"{self._prefix}w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        if is_float and array.dtype != np.float32:
            return self.add("Cast", name, to=TensorProto.FLOAT)
        return name

    def numbers(self, first: float, *more: float) -> str:
        """Adds a constant float32 of as many numbers, or a scalar if there is one."""
        return self.weight(np.array((first, *more) if more else first, np.float32))

    def sizes(self, *values: int) -> str:
        """Adds a constant int64 [len(values)], as for shapes and axes."""
        return self.weight(np.array(values, np.int64))

    def model(
        self,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """Returns the graph as an ONNX file.

        Args:
          inputs: Its inputs, by the names that nodes use.
          outputs: Its outputs, which are outputs of nodes.
          metadata: What the file says about itself.
        """
        model = helper.make_model(
            self._graph("dfjax", inputs, outputs),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="dfjax",
        )
        helper.set_model_props(model, dict(metadata or {}))
        return model.SerializeToString()

    def _graph(self, name: str, inputs: Sequence[Value], outputs: Sequence[Value]) -> Any:
        described = [
            [
                helper.make_tensor_value_info(
                    value.name, helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype)), value.shape
                )
                for value in values
            ]
            for values in (inputs, outputs)
        ]
        return helper.make_graph(self._nodes, name, *described, initializer=self._weights)


def check(model: bytes) -> None:
    """Checks a graph against ONNX's own rules, shapes included.

    Raises:
      onnx.checker.ValidationError: It breaks one.
    """
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
