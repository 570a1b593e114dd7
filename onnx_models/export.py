"""Turn a training checkpoint into the int8 ONNX file that streamroute ships, and enter it in the manifest.

    python onnx_models/export.py --checkpoint checkpoints/final.pt --base all-MiniLM-L6-v2/ --data DATA

fp32 graph, its products split where activations have outliers (found on rows of DATA) -> weights to int8 per channel
(embeddings too), activations quantised at run time -> checked against fp32 on a few pairs of several lengths ->
`judge-minilm-l6-int8.onnx`, `tokenizer.json`, and their hashes in `manifest.toml`. Needs the extra `train`. Stops with
an error, and leaves the old files, when the int8 model strays from fp32.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import json
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from corpus import Example, rows
from network import MAX_TOKENS, Judge, collate, encode
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from outliers import is_few, split_outliers
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
NAME = "judge-minilm-l6-int8"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OPSET = 17
MAX_BYTES = 30_000_000
MAX_MEAN_DRIFT = 0.02  # mean absolute change of a class probability that quantisation may cause
PROBES = (
    ("What is the capital of Australia?", "Canberra", "The capital is Canberra."),
    ("What is the capital of Australia?", "Canberra", "Sydney"),
    ("", "A man is playing a guitar on stage.", "Someone makes music."),
    ("", "A man is playing a guitar on stage.", "The stage is empty."),
    ("", "A man is playing a guitar on stage.", "The man is famous."),
    ("who wrote hamlet", "William Shakespeare", "It was written by Christopher Marlowe in 1599."),
    ("how many moons has mars", "2", "Mars has two moons, Phobos and Deimos."),
    ("", "The bridge was opened in 1937 after four years of work. " * 4, "The bridge was opened in 1936."),
    ("", "The meeting was moved from Tuesday to Thursday.", "The meeting is on Thursday."),
    ("", "No child was hurt.", "Several children were injured."),
    ("", "x", "x"),
    ("", "", "An empty text says nothing."),
)


def load(checkpoint: Path, base: Path) -> Judge:
    """The averaged weights of `last.pt`, or `final.pt` as it is."""
    judge = Judge.from_base(base)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    judge.load_state_dict(state.get("average", state))
    return judge.eval()


def to_onnx(judge: Judge, path: Path) -> None:
    ids, mask, types = collate([([1] * 9, [2] * 3 + [0] * 3 + [1] * 3)] * 2)
    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches on shapes; `drift` below runs other shapes
        torch.onnx.export(
            judge,
            (ids, mask, types),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_axes=axes | {"logits": {0: "batch"}},
        )


def calibration(data: Path, tokenizer: Tokenizer) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of training rows of both kinds, of many lengths."""
    nli, answers = data / "nli" / "train_3way.jsonl.xz", data / "nli" / "qa_equivalence_train.jsonl.xz"
    examples = [
        Example("", r["premise"], r["hypothesis"], "three_way", 0) for r in itertools.islice(rows(nli), 0, 40_000, 200)
    ]
    examples += [
        Example(r["question"], r["a"], r["b"], "equivalence", 0)
        for r in itertools.islice(rows(answers), 0, 20_000, 200)
    ]
    encoded = sorted(encode(tokenizer, examples), key=lambda row: len(row[0]))
    return [collate(encoded[i : i + 8]) for i in range(0, len(encoded), 8)]


def to_int8(source: Path, target: Path) -> None:
    prepared = source.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_dynamic(
        str(prepared),
        str(target),
        op_types_to_quantize=["MatMul", "Gather"],
        nodes_to_exclude=[node.name for node in onnx.load(str(prepared)).graph.node if is_few(node.name)],
        per_channel=True,
        # Unsigned: on CPUs without VNNI, sums of signed 8-bit products saturate, or lose a bit to avoid it.
        weight_type=QuantType.QUInt8,
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def drift(judge: Judge, path: Path, tokenizer: Tokenizer) -> dict[str, float]:
    """How far the ONNX file at `path` is from the fp32 network: on single pairs and on one padded batch."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = encode(tokenizer, [Example(*probe, "equivalence", 0) for probe in PROBES], most=MAX_TOKENS)
    differences, agreements = [], []
    for group in [*([row] for row in rows), rows]:
        inputs = collate(group)
        with torch.no_grad():
            wanted = softmax(judge(*inputs).view(-1, 3).numpy())
        feed = {name: tensor.numpy() for name, tensor in zip(INPUTS, inputs, strict=True)}
        got = softmax(session.run(["logits"], feed)[0].reshape(-1, 3))
        differences.append(np.abs(wanted - got).ravel())
        agreements.append(wanted.argmax(-1) == got.argmax(-1))
    flat = np.concatenate(differences)
    return {
        "mean_drift": round(float(flat.mean()), 6),
        "max_drift": round(float(flat.max()), 6),
        "same_label": round(float(np.concatenate(agreements).mean()), 4),
    }


def enter(manifest: Path, entry: str, values: dict[str, str | int]) -> None:
    """Set `values` in one [models.*] table, leaving every other line, comments too, as it is."""
    text = manifest.read_text(encoding="utf-8")
    head, mark, rest = text.partition(f"[models.{entry}]\n")
    if not mark:
        raise SystemExit(f"{manifest}: no table [models.{entry}]")
    table, bracket, tail = rest.partition("\n[")
    for key, value in values.items():
        table, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {json.dumps(value)}", table)
        if not found:
            raise SystemExit(f"{manifest}: no key {key!r} in [models.{entry}]")
    manifest.write_text(head + mark + table + bracket + tail, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True, help="config.json, model.safetensors, tokenizer.json")
    parser.add_argument("--data", type=Path, required=True, help="the folder that train.py was given")
    parser.add_argument("--out", type=Path, default=HERE, help="folder with manifest.toml (default: this one)")
    args = parser.parse_args()

    judge = load(args.checkpoint, args.base)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    with tempfile.TemporaryDirectory() as folder:
        exact, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        divided = copy.deepcopy(judge)
        split_outliers(divided, calibration(args.data, tokenizer))
        to_onnx(divided, exact)
        to_int8(exact, small)
        traced, quantised = drift(judge, exact, tokenizer), drift(judge, small, tokenizer)
        data = small.read_bytes()
    print(json.dumps({"fp32": traced, "int8": quantised, "bytes": len(data)}))
    if traced["max_drift"] > 1e-4 or quantised["mean_drift"] > MAX_MEAN_DRIFT or len(data) > MAX_BYTES:
        raise SystemExit("the exported model is too far from its checkpoint, or too large: nothing was written")

    model, vocabulary = args.out / f"{NAME}.onnx", args.out / "tokenizer.json"
    tokens = (args.base / "tokenizer.json").read_bytes()
    for path, content in ((model, data), (vocabulary, tokens)):
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(content)
        partial.replace(path)
    digests = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    enter(args.out / "manifest.toml", NAME, digests | {"tokenizer_sha256": hashlib.sha256(tokens).hexdigest()})


if __name__ == "__main__":
    main()
