"""The judge's network: an encoder that reads two texts at once and says both directions; and how its input is laid out.

One row is ``[CLS] (question [SEP])? a [SEP] b [SEP]`` with segment 0 for ``a``, 1 for ``b`` and 2 for the question. The
tokens of each text are averaged apart, and one head, applied to (a, b) and to (b, a), gives two times three logits. So
one pass answers what an ordinary cross-encoder is asked twice, and the question is read once instead of on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from corpus import Example
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertModel

MAX_TOKENS = 128
TRAINED_TOKENS = 112  # longer rows cost much and are rare
FIRST, SECOND, QUESTION = 0, 1, 2  # segments

Row = tuple[list[int], list[int]]
"""Token and segment ids of one pair."""


class Judge(nn.Module):
    """Logits (batch, 6): entailment, neutral, contradiction of a -> b, then of b -> a."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.body = BertModel(config, add_pooling_layer=False)
        # With this little data, words that are rare in it are better left where pretraining put them.
        self.body.embeddings.word_embeddings.requires_grad_(False)
        width = config.hidden_size
        self.head = nn.Sequential(nn.Linear(4 * width, width), nn.Tanh(), nn.Linear(width, 3))

    @classmethod
    def from_base(cls, folder: Path) -> Judge:
        """The pretrained encoder under a new head; the question's segment starts as a copy of the first one."""
        settings = json.loads((folder / "config.json").read_text()) | {"type_vocab_size": 3}
        config = BertConfig(**settings)
        # A few epochs do not over-fit, and on a CPU random masks are slow; so is `sdpa`, beside `eager`.
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        config._attn_implementation = "eager"
        judge = cls(config)
        weights = load_file(folder / "model.safetensors")
        segments = weights["embeddings.token_type_embeddings.weight"]
        weights["embeddings.token_type_embeddings.weight"] = torch.cat([segments, segments[:1]])
        loaded = judge.body.load_state_dict(weights, strict=False)
        if loaded.missing_keys:
            raise ValueError(f"{folder} lacks weights: {loaded.missing_keys[:3]}")
        return judge

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        a, b = (self._mean(hidden, mask * (types == segment)) for segment in (FIRST, SECOND))
        likeness = torch.cat([(a - b).abs(), a * b], dim=-1)
        forward = self.head(torch.cat([a, b, likeness], dim=-1))
        backward = self.head(torch.cat([b, a, likeness], dim=-1))
        return torch.cat([forward, backward], dim=-1)

    @staticmethod
    def _mean(hidden: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        weight = chosen.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)


def layout(question: list[int], a: list[int], b: list[int], *, cls: int, sep: int, most: int) -> Row:
    """The row of one pair. Too long a row loses the head of its question first, then the tail of its longer text."""
    room = most - 3
    question = question[-max(0, room - len(a) - len(b) - 1) :] if len(a) + len(b) + 1 < room else []
    while len(a) + len(b) > room:
        a, b = (a[:-1], b) if len(a) >= len(b) else (a, b[:-1])
    ids, types = [cls], [FIRST]
    for tokens, segment in ((question, QUESTION), (a, FIRST), (b, SECOND)):
        if tokens or segment != QUESTION:
            ids += [*tokens, sep]
            types += [segment] * (len(tokens) + 1)
    return ids, types


def encode(tokenizer: Tokenizer, examples: Sequence[Example], *, most: int = TRAINED_TOKENS) -> list[Row]:
    """The rows of `examples`, in order."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    texts = [text for example in examples for text in (example.question, example.a, example.b)]
    tokens = [item.ids for item in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return [layout(*tokens[3 * i : 3 * i + 3], cls=cls, sep=sep, most=most) for i in range(len(examples))]


def collate(rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(ids, mask, types), each (len(rows), longest), padded with zeros."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for i, (tokens, segments) in enumerate(rows):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        types[i, : len(tokens)] = torch.tensor(segments)
        mask[i, : len(tokens)] = 1
    return ids, mask, types
