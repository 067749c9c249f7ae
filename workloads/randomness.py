"""Random streams by purpose: never a global stream, so batch size, packing and resuming change nothing.

`stream` is for what is drawn once and in order (weights, the order of an epoch). `uniform` and `normal` are
for what belongs to a sample: every number is a hash of where it is used, so it is the same in whatever batch
it is asked for. The hash is splitmix64 (Steele, Lea and Flood, 2014: "Fast splittable pseudorandom number
generators").
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

BITS = 64
#: splitmix64's increment (2**64 over the golden ratio) and the two multipliers of its finaliser.
INCREMENT, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
#: The bits of a number: as many as float32 holds, and as many as float64 holds beside the half of `normal`.
SINGLE, DOUBLE = 24, 52


def derive(seed: int, *purpose: int | str) -> int:
    """A seed in [0, 2**63) that belongs to ``seed`` and ``purpose`` alone."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *purpose: int | str) -> torch.Generator:
    """A generator on the CPU for ``purpose`` alone; draw there and move the result."""
    return torch.Generator().manual_seed(derive(seed, *purpose))


def uniform(seed: int, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Numbers (N, *shape) in [0, 1), each from (``seed``, its sample's position, its place) alone."""
    bits = _shift(_hash(derive(seed, "uniform"), samples, shape), BITS - SINGLE)
    return bits.to(torch.float32) * 2.0**-SINGLE


def normal(seed: int, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers (N, *shape), each from (``seed``, its sample's position, its place) alone."""
    bits = _shift(_hash(derive(seed, "normal"), samples, shape), BITS - DOUBLE)
    # The quantile function is computed number by number: a vectorised log or cos may round differently
    # at the end of a tensor, and then the batch size would show.
    quantiles: Tensor = torch.special.ndtri((bits.to(torch.float64) + 0.5) * 2.0**-DOUBLE)
    return quantiles.to(torch.float32)


def _hash(key: int, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
    """64 random bits as int64 (N, *shape): a splitmix64 sequence per sample, from a hashed state."""
    places = torch.arange(1, math.prod(shape) + 1, device=samples.device)
    starts = _mix(_signed(key) + samples.to(torch.int64) * _signed(INCREMENT))
    return _mix(starts[:, None] + places * _signed(INCREMENT)).view(len(samples), *shape)


def _mix(bits: Tensor) -> Tensor:
    """splitmix64's finaliser: every bit of the result depends on every bit of ``bits``."""
    bits = (bits ^ _shift(bits, 30)) * _signed(FIRST)
    bits = (bits ^ _shift(bits, 27)) * _signed(SECOND)
    return bits ^ _shift(bits, 31)


def _shift(bits: Tensor, places: int) -> Tensor:
    """``bits`` shifted right with zeros coming in; torch's shift repeats the sign."""
    shifted: Tensor = (bits >> places) & ((1 << (BITS - places)) - 1)
    return shifted


def _signed(number: int) -> int:
    """An unsigned 64-bit number as the int64 with the same bits."""
    return number - (1 << BITS) if number >> (BITS - 1) else number
