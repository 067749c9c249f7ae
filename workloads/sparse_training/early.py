"""EarlyCroP: dense training until the trigger, then CroP (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import final

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import Masks
from workloads.pruning._rounds import in_rounds
from workloads.pruning._trigger import drift, settled
from workloads.pruning.base import Criterion
from workloads.pruning.crop import Crop
from workloads.randomness import derive
from workloads.sparse_training._dense_start import whole
from workloads.sparse_training.base import Memory, Moment, Sparsify
from workloads.sparsity.base import Allocation

#: ``global`` is a keyword of Python, so its module cannot be imported by a statement.
GLOBAL = import_module("workloads.sparsity.global").Global
#: The memory: parameters after the first epoch, drifts since, and when it pruned as a fraction of training.
START, DRIFTS, PRUNED = "start/", "drifts", "pruned"


@dataclass(frozen=True)
class Early(Sparsify):
    """Trains dense until the weights leave their start no faster, prunes after that epoch, and trains on."""

    sparsity: float
    criterion: Criterion = field(default_factory=Crop)
    allocation: Allocation = field(default_factory=GLOBAL)
    latest: float = 0.5
    """Fraction of the training after which it prunes in any case; the paper leaves the epoch open."""

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")
        if not 0 < self.latest <= 1:
            raise ValueError(f"latest is a fraction of the training in (0, 1], got {self.latest}")

    @property
    def settled(self) -> float:
        return self.latest

    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return whole(network, masks, self.sparsity)

    @final
    def due(self, step: int, steps: int) -> bool:
        return False

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        return masks

    def review(
        self, network: Network, masks: Masks, data: LearningData, moment: Moment, memory: Memory
    ) -> Masks:
        if PRUNED in memory or not (
            self._triggered(network, memory) or moment.step >= self.latest * moment.steps
        ):
            return masks
        memory.clear()
        memory[PRUNED] = torch.tensor(moment.step / moment.steps, dtype=torch.float64)
        seed = derive(moment.seed, "early")
        # Ranks decide here: full precision, and on a GPU the same sums every time.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return in_rounds(
                self.criterion, self.allocation, network, masks, data, sparsity=self.sparsity, seed=seed
            )

    def report(self, masks: Masks, memory: Memory) -> Mapping[str, float]:
        return {"pruned_at": memory[PRUNED].item()} if PRUNED in memory else {}

    def _triggered(self, network: Network, memory: Memory) -> bool:
        """Whether the parameters have settled, which needs those after three epochs."""
        now = {START + name: parameter.detach() for name, parameter in network.named_parameters()}
        if not now.keys() <= memory.keys():
            memory |= {name: parameter.clone() for name, parameter in now.items()}
            memory[DRIFTS] = torch.zeros(0, dtype=torch.float64)
            return False
        found = drift([memory[name] for name in now], list(now.values()))
        memory[DRIFTS] = torch.cat([memory[DRIFTS], found.double().cpu().view(1)])
        return settled(memory[DRIFTS].tolist(), self.sparsity)
