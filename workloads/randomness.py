"""Random streams by purpose: never a global stream, so batch size, packing and resuming change nothing."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def derive(seed: int, *purpose: int | str) -> int:
    """A seed in [0, 2**63) that belongs to ``seed`` and ``purpose`` alone."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *purpose: int | str) -> torch.Generator:
    """A generator on the CPU for ``purpose`` alone; draw there and move the result."""
    return torch.Generator().manual_seed(derive(seed, *purpose))


def uniform(seed: int, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Numbers (N, *shape) in [0, 1), each from (``seed``, its sample's position, its place) alone."""
    raise NotImplementedError


def normal(seed: int, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers (N, *shape), each from (``seed``, its sample's position, its place) alone."""
    raise NotImplementedError
