"""Structured CroP, pruning that preserves the gradient flow (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.channels._flow import Flow


@dataclass(frozen=True)
class Crop(Flow):
    """Ranks channels by how much the gradient flow changes when they begin to vanish, once."""
