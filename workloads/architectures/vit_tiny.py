"""ViT-Tiny, a vision transformer.

Dosovitskiy et al. (2021): "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", arXiv
2010.11929; in the smallest size of Touvron et al. (2021): "Training data-efficient image transformers &
distillation through attention", arXiv 2012.12877. Without dropout.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from workloads.architectures._initialise import SMALL, Drawn, Initial
from workloads.architectures.base import Architecture, Shape
from workloads.later import LATER

HEADS, WIDENING = 3, 4
EPSILON = 1e-6


class Tokens(Drawn):
    """Patches of an image as tokens, behind a class token, each with a learned position added."""

    def __init__(self, shape: Shape, patch: int, width: int) -> None:
        super().__init__()
        channels, *sides = shape
        across = [-(-side // patch) for side in sides]
        self.missing = [count * patch - side for count, side in zip(across, sides, strict=True)]
        self.first = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 1 + across[0] * across[1], width))
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)

    def draw(self, draws: torch.Generator) -> None:
        nn.init.zeros_(self.first)
        nn.init.normal_(self.positions, std=SMALL, generator=draws)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens (N, 1 + patches, D); images that do not divide into patches go on in the mean colour."""
        below, beside = self.missing
        if below or beside:
            images = nn.functional.pad(images, (0, beside, 0, below))
        patches = self.patches(images).flatten(2).transpose(1, 2)
        return torch.cat([self.first.expand(len(images), -1, -1), patches], 1) + self.positions


class Attention(nn.Module):
    """Self-attention; written out, since the fused kernels have no second derivative."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, D)."""
        count, length, width = tokens.shape
        split = self.queries_keys_values(tokens).view(count, length, 3, HEADS, width // HEADS)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        scale = (width // HEADS) ** -0.5
        weights = (queries @ keys.transpose(-2, -1) * scale).softmax(-1)
        mixed: Tensor = self.out((weights @ values).transpose(1, 2).reshape(count, length, width))
        return mixed


class Block(nn.Module):
    """Attention and a perceptron, each of normed tokens and beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attention = Attention(width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.hidden = nn.Linear(width, WIDENING * width)
        self.gelu = nn.GELU()
        self.out = nn.Linear(WIDENING * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, D)."""
        tokens = tokens + self.attention(self.norm1(tokens))
        added: Tensor = self.out(self.gelu(self.hidden(self.norm2(tokens))))
        return tokens + added


class First(nn.Module):
    """The class token."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Features (N, D) of tokens (N, T, D)."""
        return tokens[:, 0]


@dataclass(frozen=True)
class VitTiny(Architecture):
    """Stacks blocks of attention with three heads over patches, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    patch: int = 4
    """Height and width of a patch: 4 for images of 32x32, 16 for those of 224x224."""
    blocks: int = field(default=12, metadata=LATER)
    """Fewer, and a smaller ``width``, make it smaller than the published ones."""
    width: int = field(default=192, metadata=LATER)
    """Numbers of a token, a third of them for each head."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("patch", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width < 1 or self.width % HEADS:
            raise ValueError(f"width must be a multiple of the {HEADS} heads, got {self.width}")

    @property
    def initial(self) -> Initial:
        return "small"

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        layers: OrderedDict[str, nn.Module] = OrderedDict(tokens=Tokens(shape, self.patch, self.width))
        for block in range(1, self.blocks + 1):
            layers[f"block{block}"] = Block(self.width)
        layers |= {"norm": nn.LayerNorm(self.width, eps=EPSILON), "first": First()}
        return nn.Sequential(layers), self.width
