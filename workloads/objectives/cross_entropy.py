"""Cross entropy, with label smoothing (Szegedy et al., 2016, arXiv 1512.00567) if asked for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from workloads.architectures.base import Network
from workloads.objectives.base import Batch, Objective


@dataclass(frozen=True)
class CrossEntropy(Objective):
    """Minimises the cross entropy of all outputs with the labels."""

    label_smoothing: float = 0.0
    """Share of the probability mass that is spread over all outputs."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")

    @property
    def soft(self) -> bool:
        return True

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        logits, labels = network(batch.images), batch.labels
        if batch.targets is not None:  # unknown outputs get no share
            labels = pad(batch.targets, (0, logits.shape[1] - batch.targets.shape[1]))
        return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
