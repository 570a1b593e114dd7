"""Keep the few channels with outlying activations out of the int8 products (after Dettmers et al. 2022, LLM.int8()).

At run time one scale serves all activations of a product. A transformer has a handful of channels ten times as large
as the rest: they set the scale, and the rest keeps three or four bits. So each product is split in two: the outliers
times their rows of the weights in fp32, a product of width `OUTLIERS`, and everything else in int8.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from network import Judge
from torch import nn

OUTLIERS = 16
_SPLIT = ("query", "key", "value", "intermediate.dense", "output.dense")
_WHOLE = "attention.output.dense"  # has none


class Split(nn.Module):
    """The same function as `linear`; `main` is to be quantised, `few` is not."""

    def __init__(self, linear: nn.Linear, largest: torch.Tensor) -> None:
        super().__init__()
        outlying = largest.topk(OUTLIERS).indices.sort().values
        kept = torch.ones(linear.in_features)
        kept[outlying] = 0
        self.register_buffer("kept", kept)
        self.register_buffer("outlying", outlying)
        self.main = nn.Linear(linear.in_features, linear.out_features)
        self.main.weight.data, self.main.bias.data = linear.weight.data * kept, linear.bias.data
        self.few = nn.Linear(OUTLIERS, linear.out_features, bias=False)
        self.few.weight.data = linear.weight.data[:, outlying].clone()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        few: torch.Tensor = self.few(x.index_select(-1, self.outlying))
        return few + self.main(x * self.kept)


def is_few(node: str) -> bool:
    """Whether a node of the exported graph belongs to a product that stays in fp32."""
    return "/few/" in node


@torch.no_grad()
def split_outliers(judge: Judge, batches: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> None:
    """Split the encoder's products in place, by the largest activation of each channel over `batches`."""
    products = {
        name: module
        for name, module in judge.body.named_modules()
        if isinstance(module, nn.Linear) and name.endswith(_SPLIT) and not name.endswith(_WHOLE)
    }
    largest = {name: torch.zeros(module.in_features) for name, module in products.items()}

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def record(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            largest[name] = torch.maximum(largest[name], inputs[0].abs().amax((0, 1)))

        return products[name].register_forward_pre_hook(record)

    handles = [watch(name) for name in products]
    for batch in batches:
        judge(*batch)
    for handle in handles:
        handle.remove()
    for name, module in products.items():
        parent, _, leaf = name.rpartition(".")
        setattr(judge.body.get_submodule(parent), leaf, Split(module, largest[name]))
