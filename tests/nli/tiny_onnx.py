"""A network of two directions small enough to write down, as an ONNX file: for what only a real session can show.

It reads "not" and nothing else: a text with it contradicts whatever is its premise; a context makes anything less
certain. The file is written field by field (onnx.proto3), for the package `onnx` is not needed for anything else here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

FLOAT, INT64 = 1, 7


def two_directions(not_id: int, *, weight: float = 10.0) -> bytes:
    """Logits (batch, 6): entailment, neutral, contradiction of a -> b, then of b -> a. `weight` is that of a "not"."""
    nodes = [
        _node("Equal", ["input_ids", "not"], "is_not_"), _cast("is_not_", "is_not"),
        *(node for segment in "012" for node in (
            _node("Equal", ["token_type_ids", segment], f"of_{segment}_"), _cast(f"of_{segment}_", f"of_{segment}"),
        )),
        _node("Mul", ["is_not", "of_1"], "not_in_b_"), _any("not_in_b_", "not_in_b"),
        _node("Mul", ["is_not", "of_0"], "not_in_a_"), _any("not_in_a_", "not_in_a"),
        _any("of_2", "context"),
        _node("Mul", ["not_in_b", "weight"], "forward"),
        _node("Mul", ["not_in_a", "weight"], "backward"),
        _node("Equal", ["context", "context"], "entailment_"), _cast("entailment_", "entailment"),
        _node("Concat", ["entailment", "context", "forward", "entailment", "context", "backward"], "logits",
              _text(1, "axis") + _number(3, 1) + _number(20, 2)),
    ]  # fmt: skip
    constants = [_constant(name, int(name)) for name in "012"] + [_constant("not", not_id), _constant("weight", weight)]
    inputs = [_value(name, INT64) for name in ("input_ids", "attention_mask", "token_type_ids")]
    graph = [*(_field(1, node) for node in nodes), _text(2, "tiny"), *(_field(5, constant) for constant in constants),
             *(_field(11, value) for value in inputs), _field(12, _value("logits", FLOAT))]  # fmt: skip
    return _number(1, 7) + _field(7, b"".join(graph)) + _field(8, _number(2, 13))


def _cast(source: str, target: str) -> bytes:
    return _node("Cast", [source], target, _text(1, "to") + _number(3, FLOAT) + _number(20, 2))


def _any(source: str, target: str) -> bytes:
    return _node("ReduceMax", [source], target, _text(1, "axes") + _number(8, 1) + _number(20, 7))


def _node(kind: str, inputs: Iterable[str], output: str, attribute: bytes = b"") -> bytes:
    named = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
    return named + (_field(5, attribute) if attribute else b"")


def _constant(name: str, value: float) -> bytes:
    kind, raw = (INT64, struct.pack("<q", value)) if isinstance(value, int) else (FLOAT, struct.pack("<f", value))
    return _number(2, kind) + _text(8, name) + _field(9, raw)


def _value(name: str, kind: int) -> bytes:
    sizes = b"".join(_field(1, _text(2, size)) for size in ("rows", "columns"))
    return _text(1, name) + _field(2, _field(1, _number(1, kind) + _field(2, sizes)))


def _text(field: int, text: str) -> bytes:
    return _field(field, text.encode())


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
