"""The judge's network: the MiniLM encoder, mean pooling, one tanh layer, three classes; and its input encoding."""

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


class Judge(nn.Module):
    """Logits (batch, 3) in the order entailment, neutral, contradiction."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.body = BertModel(config, add_pooling_layer=False)
        width = config.hidden_size
        self.head = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3))

    @classmethod
    def from_base(cls, folder: Path) -> Judge:
        config = BertConfig(**json.loads((folder / "config.json").read_text()))
        # One or two epochs do not over-fit, and on a CPU random masks are slow; so is `sdpa`, beside `eager`.
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        config._attn_implementation = "eager"
        judge = cls(config)
        weights = load_file(folder / "model.safetensors")
        loaded = judge.body.load_state_dict(weights, strict=False)
        if loaded.missing_keys:
            raise ValueError(f"{folder} lacks weights: {loaded.missing_keys[:3]}")
        return judge

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        logits: torch.Tensor = self.head(pooled)
        return logits


def encode(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[tuple[Example, list[int], list[int]]]:
    """Token and segment ids of each pair, truncated from the longer side."""
    tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
    tokenizer.no_padding()
    encoded = tokenizer.encode_batch([(e.premise, e.hypothesis) for e in examples])
    return [(example, item.ids, item.type_ids) for example, item in zip(examples, encoded, strict=True)]
