"""Every architecture in a size that a test can afford, where its default is large."""

from __future__ import annotations

from orchestrator.build import build
from workloads.architectures.base import Architecture

SMALL = {
    "conv6": {"width": 8},
    "densenet": {"depth": 10, "growth": 4},
    "mobilenet_v2": {"width": 0.25},
    "resnet18": {"width": 8},
    "resnet34": {"width": 8},
    "resnet50": {"width": 8},
    "resnet110": {"width": 4},
    "vgg11": {"width": 8},
    "vgg16": {"width": 8},
    "vgg19": {"width": 8},
    "vit_tiny": {"blocks": 2, "width": 48},
    "wide_resnet": {"depth": 10, "width": 1},
}


def small(name: str, **fields) -> Architecture:
    """The architecture ``name``, narrow if it can be."""
    return build(Architecture, {"name": name, **SMALL.get(name, {}), **fields})
