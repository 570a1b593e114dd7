"""Transformer encoders of any shape in fp32, made on the spot: what the judge's model is compared with.

Only their time is of interest, and that depends on the shape alone: all weights are seeded noise. Each has a place of
its own in the file, so that a pass has as much memory to read as one of a trained network. Post-norm as in BERT; mean
pooling; three logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

_WEIGHTS = "weights.bin"
_PAGE = 4_096
_OPSET = 17
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of an encoder. A larger vocabulary costs memory, not time."""

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int = 30_522
    positions: int = 512


MINILM_L6 = Shape(layers=6, width=384, heads=12, inner=1_536)
"""The network of the bundled model before it was quantised."""
LARGE = Shape(layers=24, width=1_024, heads=16, inner=4_096)
"""That of DeBERTa-large, but with plain attention: DeBERTa's own has two products more a layer and is slower."""


class Encoder:
    """An encoder of `shape`, run by onnxruntime with `threads` as the bundled model is. `folder` is its own, and
    holds its files while it is in use."""

    def __init__(self, shape: Shape, folder: Path, *, threads: int) -> None:
        graph = _Graph()
        path = folder / "encoder.onnx"
        onnx.save(graph.encoder(shape), path)
        noise = np.random.default_rng(0).normal(scale=0.02, size=max(graph.sizes)).astype(np.float32)
        with (folder / _WEIGHTS).open("wb") as file:
            for size in graph.sizes:
                file.write(noise[:size].tobytes())
                file.seek(_paged(file.tell()))
            file.truncate()
        self.parameters = sum(graph.sizes)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, ids: Sequence[int], types: Sequence[int]) -> Any:
        """The logits of one row."""
        feed = (np.array([ids]), np.ones((1, len(ids)), dtype=np.int64), np.array([types]))
        return self._session.run(None, dict(zip(_INPUTS, feed, strict=True)))[0]


class _Graph:
    """Collects the nodes and weights of one network. Every method gives the name of its result."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._offset = 0
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def encoder(self, shape: Shape) -> onnx.ModelProto:
        ids, mask, types = _INPUTS
        length = self._op("Shape", ids, start=1, end=2)
        positions = self._op("Slice", self._weight(shape.positions, shape.width), self._whole(0), length)
        words = self._op("Gather", self._weight(shape.vocabulary, shape.width), ids)
        segments = self._op("Gather", self._weight(2, shape.width), types)
        state = self._op("Add", self._op("Add", words, segments), positions)
        state = self._norm(state, shape)
        padding = self._op("Sub", self._number(1.0), self._op("Cast", mask, to=TensorProto.FLOAT))
        bias = self._op("Mul", self._op("Unsqueeze", padding, self._whole(1, 2)), self._number(-1e4))
        for _ in range(shape.layers):
            state = self._norm(self._op("Add", state, self._attention(state, bias, shape)), shape)
            inner = self._gelu(self._dense(state, shape.width, shape.inner))
            state = self._norm(self._op("Add", state, self._dense(inner, shape.inner, shape.width)), shape)
        pooled = self._op("ReduceMean", state, axes=[1], keepdims=0)
        logits = self._dense(pooled, shape.width, 3)
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "columns"]) for name in _INPUTS]
        output = helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["rows", 3])
        graph = helper.make_graph(self._nodes, "encoder", inputs, [output], self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)

    def _attention(self, state: str, bias: str, shape: Shape) -> str:
        each = shape.width // shape.heads
        apart, together = self._whole(0, 0, shape.heads, each), self._whole(0, 0, shape.width)
        query, key, value = (
            self._op("Transpose", self._op("Reshape", self._dense(state, shape.width, shape.width), apart), perm=order)
            for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        scores = self._op("Mul", self._op("MatMul", query, key), self._number(1 / math.sqrt(each)))
        shares = self._op("Softmax", self._op("Add", scores, bias), axis=-1)
        mixed = self._op("Transpose", self._op("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._dense(self._op("Reshape", mixed, together), shape.width, shape.width)

    def _dense(self, state: str, rows: int, columns: int) -> str:
        return self._op("Add", self._op("MatMul", state, self._weight(rows, columns)), self._weight(columns))

    def _norm(self, state: str, shape: Shape) -> str:
        return self._op("LayerNormalization", state, self._weight(shape.width), self._weight(shape.width), axis=-1)

    def _gelu(self, state: str) -> str:
        error = self._op("Erf", self._op("Div", state, self._number(math.sqrt(2))))
        grown = self._op("Mul", state, self._op("Add", error, self._number(1.0)))
        return self._op("Mul", grown, self._number(0.5))

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _weight(self, *sizes: int) -> str:
        count = math.prod(sizes)
        tensor = onnx.TensorProto(name=f"weight_{len(self._weights)}", data_type=TensorProto.FLOAT, dims=sizes)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", _WEIGHTS), ("offset", self._offset), ("length", 4 * count)):
            tensor.external_data.add(key=key, value=str(value))
        self._offset = _paged(self._offset + 4 * count)
        self.sizes.append(count)
        self._weights.append(tensor)
        return tensor.name

    def _whole(self, *values: int) -> str:
        return self._constant(TensorProto.INT64, [len(values)], values)

    def _number(self, value: float) -> str:
        return self._constant(TensorProto.FLOAT, [], [value])

    def _constant(self, kind: int, sizes: Sequence[int], values: Sequence[float]) -> str:
        name = f"constant_{len(self._weights)}"
        self._weights.append(helper.make_tensor(name, kind, sizes, values))
        return name


def _paged(offset: int) -> int:
    return -(-offset // _PAGE) * _PAGE
