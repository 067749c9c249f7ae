"""A network from a file of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from orchestrator.stage import Workspace
from workloads.architectures.base import Architecture, Network
from workloads.datasets._root import VARIABLE, data_root
from workloads.datasets.base import Dataset
from workloads.masks import Masks, density, prunable
from workloads.stages._data import learning
from workloads.stages._networks import fresh
from workloads.stages.base import TorchStage
from workloads.training.weights_file import Match, adopt, tensors_of

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pretrained(TorchStage):
    """Reads the weights of a network that was trained elsewhere, and publishes it as `train` does."""

    architecture: Architecture
    dataset: Dataset
    """Whose classes it tells apart."""
    file: str
    """Its name below the data root: safetensors, or a state_dict as `torch.save` writes it."""
    sha256: str
    """Of the file; where it is another one the error says its digest."""
    entry: str = ""
    """The key below which the file has the weights, where it has more: ``state_dict``."""
    prefix: str = ""
    """What the names in the file begin with and ours do not: ``module.``."""
    match: Match = "name"
    """``order`` takes the tensors of a `torch.save` one after another, whatever they are called."""
    masks: Literal["zeros", "none"] = "zeros"
    """``zeros``: weights that are exactly zero are pruned. ``none``: the network is dense."""
    mean: tuple[float, ...] | None = None
    """Of each channel on the scale [0, 1], as it was trained. None: of the file, else of the data set."""
    std: tuple[float, ...] | None = None
    epochs: int = 0
    """Epochs that were spent on it, for the tables."""

    def __post_init__(self) -> None:
        path = Path(self.file)
        if path.is_absolute() or ".." in path.parts or not self.file:
            raise ValueError(f"file must be a name below the data root ({VARIABLE}), got {self.file!r}")
        if not DIGEST.fullmatch(self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits in lower case, got {self.sha256!r}")
        if (self.mean is None) != (self.std is None):
            raise ValueError(f"mean and std must be given together, got {self.mean} and {self.std}")
        if self.std is not None and min(self.std, default=0) <= 0:
            raise ValueError(f"std must be above 0 for every channel, got {list(self.std)}")
        if self.epochs < 0:
            raise ValueError(f"epochs must not be negative, got {self.epochs}")
        if self.match == "order" and self.prefix:
            raise ValueError(f"prefix has no say where tensors match by order, got {self.prefix!r}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = fresh(self.architecture, self.dataset, learning(self.dataset, space), seed=0, stream=0)
        tensors = tensors_of(data_root() / self.file, self.sha256, self.entry, self.match == "order")
        named = {name.removeprefix(self.prefix): tensor for name, tensor in tensors.items()}
        if len(named) < len(tensors):
            raise ValueError(f"{self.file} has names both with and without the prefix {self.prefix!r}")
        adopt(model.network, named, self.match)
        self._normalise(model.network)
        masks = _zeros(model.network) if self.masks == "zeros" else {}
        model = replace(model, masks=masks, epochs=self.epochs)
        model.publish(space.output)
        spent = "FLOPs" if self.epochs else "epochs and FLOPs"
        space.warnings.append(f"the weights come from a file: {spent} that made them are not counted")
        return {"epochs": float(self.epochs), "density": density(masks, model.network)}

    def _normalise(self, network: Network) -> None:
        """Set the statistics that are given."""
        channels = len(network.mean)
        for kind, given, own in (("mean", self.mean, network.mean), ("std", self.std, network.std)):
            if given is not None:
                if len(given) != channels:
                    raise ValueError(f"{kind} must have a value for each of {channels} channels, got {given}")
                own.copy_(torch.tensor(given))


def _zeros(network: Network) -> Masks:
    """Masks of the weights that are not exactly zero; none for a network without zeros."""
    masks = {name: weight.detach() != 0 for name, weight in prunable(network).items()}
    return {} if all(mask.all() for mask in masks.values()) else masks
