"""How good is the shipped judge? Prints one JSON object.

    python onnx_models/evaluate.py --nli test.jsonl.xz --pairs qa_equivalence_dev.jsonl.xz
                                   [--checkpoint final.pt --base DIR]

`--nli`: rows {"premise", "hypothesis", "label"[, "source"]} -> accuracy, overall, by source and by label.
`--pairs`: rows {"question", "a", "b", "equivalent"} -> AUROC of the mean entailment of both directions, the accuracy
of the clustering rule at its default threshold, and the same for token overlap, the baseline without a model.
`--limit N` takes the first N rows of each. With a checkpoint, the share of labels that int8 and fp32 agree on and the
fp32 figures beside it (needs the extra `train`). Files may be .xz.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamroute.nli.manifest import LABELS, bundled_manifest, read_manifest
from streamroute.nli.model import CrossEncoder
from streamroute.uncertainty.base import Pair, Relation
from streamroute.uncertainty.clustering import Rule
from streamroute.uncertainty.normalize import token_f1, tokens

Predict = Callable[[Sequence[Pair]], npt.NDArray[np.float64]]
"""Pairs -> (pairs, 2, 3): both directions, three probabilities each in the order of LABELS."""


def rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, limit)]


def auroc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Mann-Whitney with the mean rank of ties."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]
    p, n = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))


def three_way(data: Sequence[dict[str, Any]], predict: Predict) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    guess = predict([Pair("", row["premise"], row["hypothesis"]) for row in data])[:, 0].argmax(axis=1)
    right = guess == np.array([LABELS.index(row["label"]) for row in data])
    found: dict[str, Any] = {"rows": len(data), "accuracy": round(float(right.mean()), 4)}
    for key in ("source", "label"):
        names = np.array([row.get(key, "") for row in data])
        found[f"by_{key}"] = {name: round(float(right[names == name].mean()), 4) for name in sorted(set(names))}
    return found, guess


def equivalence(data: Sequence[dict[str, Any]], predict: Predict) -> dict[str, Any]:
    both = predict([Pair(row["question"], row["a"], row["b"]) for row in data])
    forward, backward = both[:, 0], both[:, 1]
    equal = np.array([bool(row["equivalent"]) for row in data])
    merged = np.array(
        [Rule.PROBABILITY.holds(Relation(*f), Relation(*b), 0.5) for f, b in zip(forward, backward, strict=True)]
    )
    overlap = np.array([token_f1(tokens(row["a"]), tokens(row["b"])) for row in data])
    return {
        "rows": len(data),
        "share_equivalent": round(float(equal.mean()), 4),
        "auroc": round(auroc((forward[:, 0] + backward[:, 0]) / 2, equal), 4),
        "auroc_token_f1": round(auroc(overlap, equal), 4),
        "rule_accuracy": round(float((merged == equal).mean()), 4),
        "rule_merges_equal": round(float(merged[equal].mean()), 4),
        "rule_merges_unequal": round(float(merged[~equal].mean()), 4),
    }


def shipped(name: str | None, manifest: Path) -> Predict:
    models, default = read_manifest(manifest)
    model = CrossEncoder(models[name or default])
    return lambda pairs: np.array(model.relations(pairs), dtype=np.float64)


def reference(checkpoint: Path, base: Path) -> Predict:
    """The fp32 network, in batches of similar length."""
    import torch
    from export import load
    from network import MAX_TOKENS
    from tokenizers import Tokenizer

    judge = load(checkpoint, base)
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
    tokenizer.enable_padding()

    def predict(pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        sides = [(f"{context} {a}".strip(), f"{context} {b}".strip()) for context, a, b in pairs]
        directed = [row for a, b in sides for row in ((a, b), (b, a))]
        order = sorted(range(len(directed)), key=lambda i: len(directed[i][0]) + len(directed[i][1]))
        out = np.zeros((len(directed), len(LABELS)))
        for start in range(0, len(order), 64):
            part = order[start : start + 64]
            encoded = tokenizer.encode_batch([directed[i] for i in part])
            columns = ([e.ids for e in encoded], [e.attention_mask for e in encoded], [e.type_ids for e in encoded])
            with torch.inference_mode():
                out[part] = judge(*(torch.tensor(column) for column in columns)).softmax(-1).double().numpy()
        return out.reshape(len(pairs), 2, len(LABELS))

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nli", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--manifest", type=Path, help="default: the bundled one")
    parser.add_argument("--model", help="name in the manifest (default: its default)")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--base", type=Path)
    args = parser.parse_args()
    if args.nli is None and args.pairs is None:
        parser.error("nothing to do: give --nli, --pairs or both")
    if (args.checkpoint is None) != (args.base is None):
        parser.error("--checkpoint and --base go together")

    predictors = {"int8": shipped(args.model, args.manifest or bundled_manifest())}
    if args.checkpoint is not None:
        predictors["fp32"] = reference(args.checkpoint, args.base)
    result: dict[str, Any] = {name: {} for name in predictors}
    guesses = []
    for name, predict in predictors.items():
        began = time.perf_counter()
        if args.nli is not None:
            result[name]["nli"], guess = three_way(rows(args.nli, args.limit), predict)
            guesses.append(guess)
        if args.pairs is not None:
            result[name]["pairs"] = equivalence(rows(args.pairs, args.limit), predict)
        result[name]["seconds"] = round(time.perf_counter() - began, 1)
    if len(guesses) == 2:
        result["same_label"] = round(float((guesses[0] == guesses[1]).mean()), 4)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
