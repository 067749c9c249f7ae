"""What one forward pass gave, as a folder: `outputs.safetensors` and `outputs.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from workloads.architectures.base import Network
from workloads.datasets.base import Split
from workloads.detectors.base import Outputs
from workloads.metrics.probabilities import log_probabilities, mean_log_probabilities
from workloads.training.evaluation import forward

OUTPUTS, DESCRIPTION = "outputs.safetensors", "outputs.json"


def outputs_of(network: Network, seen: Split) -> Outputs:
    """What ``network`` makes of the images in ``seen``."""
    logits, features = forward(network, seen.images)
    head = network.head
    bias = head.weight.new_zeros(head.out_features) if head.bias is None else head.bias
    return Outputs(logits, features, seen.labels, network.classes, head.weight, bias)


def mean_outputs(networks: Sequence[Network], seen: Split) -> Outputs:
    """What an ensemble makes of the images in ``seen``: its mean probabilities, and no features."""
    count = networks[0].head.out_features
    beliefs = [log_probabilities(forward(network, seen.images)[0], count) for network in networks]
    logits = mean_log_probabilities(beliefs).float()
    none = logits.new_zeros(0)
    return Outputs(
        logits,
        none.expand(len(logits), 0),
        seen.labels,
        networks[0].classes,
        none.expand(count, 0),
        logits.new_zeros(count),
    )


def digest_of_head(network: Network) -> str:
    """The sha256 of the last layer's weights: which network an output is of."""
    return hashlib.sha256(network.head.weight.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def save_outputs(folder: Path, outputs: Outputs, origin: dict[str, object]) -> None:
    """Write ``outputs``, and the ``origin`` of their images."""
    tensors = {
        "logits": outputs.logits,
        "features": outputs.features,
        "labels": outputs.labels,
        "head.weight": outputs.weight,
        "head.bias": outputs.bias,
    }
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / OUTPUTS
    )
    text = json.dumps({"classes": outputs.classes, **origin}, indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_origin(folder: Path) -> dict[str, Any]:
    """The ``origin`` that was written into ``folder``."""
    found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return found


def load_outputs(folder: Path, device: str) -> Outputs:
    """What was written into ``folder``, on ``device``."""
    tensors = load_file(folder / OUTPUTS, device=device)
    classes = load_origin(folder)["classes"]
    return Outputs(
        tensors["logits"],
        tensors["features"],
        tensors["labels"],
        classes,
        tensors["head.weight"],
        tensors["head.bias"],
    )


def check_one_source(folders: Sequence[Path], outputs: Sequence[Outputs], roles: str) -> None:
    """Refuse ``outputs`` in ``folders`` that are not all of one network, or all of one ensemble.

    Raises:
        ValueError: they are not; ``roles`` says what they are of.
    """
    made_by = [load_origin(folder).get("members") for folder in folders]
    first, *others = outputs
    if any(made_by[0] != other for other in made_by[1:]) or not all(
        torch.equal(first.weight, other.weight) for other in others
    ):
        raise ValueError(f"{roles} must be outputs of one network, got those of several")
