"""Does the int8 judge still judge as the fp32 network that it came from? Prints one JSON object.

    python onnx_models/evaluate.py --checkpoint final.pt --base DIR --nli nli.jsonl.xz --pairs pairs.jsonl.xz

The figures of `streamroute eval nli` and `streamroute eval pairs` for both, side by side, and the share of NLI rows to
which both give the same label. Either file may be left out; `--limit N` takes the first N rows of each. Needs the extra
`train`. For the int8 judge alone, use those commands.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from corpus import Example
from export import load
from tokenizers import Tokenizer
from train import probabilities

from streamroute.evaluation.asking import ask
from streamroute.evaluation.nli import assess_nli, nli_pairs, predicted
from streamroute.evaluation.pairs import evaluate_pairs
from streamroute.evaluation.rows import NliRow, PairRow, read_rows
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import bundled_manifest, read_manifest
from streamroute.nli.model import CrossEncoder
from streamroute.uncertainty.base import Pair, Relation, Relations


class Network:
    """The fp32 network as a `BlockingModel`."""

    def __init__(self, checkpoint: Path, base: Path) -> None:
        self._judge = load(checkpoint, base)
        self._tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))

    def relations(self, pairs: Sequence[Pair]) -> list[Relations]:
        examples = [Example(*pair, "equivalence", 0) for pair in pairs]
        both = probabilities(self._judge, self._tokenizer, examples, torch.device("cpu")).tolist()
        return [Relations(Relation(*forward), Relation(*backward)) for forward, backward in both]


def compare_nli(models: dict[str, BlockingModel], rows: Sequence[NliRow]) -> dict[str, Any]:
    answers = {name: ask(model, nli_pairs(rows)) for name, model in models.items()}
    labels = [predicted(each.relations) for each in answers.values()]
    reports = {name: assess_nli(rows, each).as_dict() for name, each in answers.items()}
    return {"same_label": float((labels[0] == labels[1]).mean()), **reports}


def compare_pairs(models: dict[str, BlockingModel], rows: Sequence[PairRow]) -> dict[str, Any]:
    return {name: evaluate_pairs(model, rows).as_dict() for name, model in models.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--nli", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--manifest", type=Path, help="default: the bundled one")
    parser.add_argument("--model", help="name in the manifest (default: its default)")
    args = parser.parse_args()
    if args.nli is None and args.pairs is None:
        parser.error("nothing to do: give --nli, --pairs or both")

    specs, default = read_manifest(args.manifest or bundled_manifest())
    models: dict[str, BlockingModel] = {
        "int8": CrossEncoder(specs[args.model or default]),
        "fp32": Network(args.checkpoint, args.base),
    }
    found = {}
    if args.nli is not None:
        found["nli"] = compare_nli(models, list(read_rows(args.nli, NliRow, limit=args.limit)))
    if args.pairs is not None:
        found["pairs"] = compare_pairs(models, list(read_rows(args.pairs, PairRow, limit=args.limit)))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
