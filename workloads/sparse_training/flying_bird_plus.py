"""Flying Bird+ (Chen et al., 2022, "Sparsity Winning Twice", arXiv 2202.09844).

The gap is measured after every epoch on as many training images as there are validation images, the network
in evaluation mode; the authors take the running accuracy of the epoch's own batches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.datasets.base import LearningData, Split
from workloads.masks import Masks
from workloads.randomness import derive
from workloads.sparse_training._drop_and_grow import Exchange
from workloads.sparse_training._flying import Flying
from workloads.sparse_training.base import Memory, Moment

#: The memory: after each epoch, training less validation accuracy, and the validation loss.
GAPS, LOSSES = "gaps", "losses"
PART = 512
WHITE = 255


@dataclass(frozen=True)
class FlyingBirdPlus(Flying):
    """Drops more where the robust generalisation gap keeps rising, grows more where the validation loss does.

    So the number of connections is found by training; ``sparsity`` is that of the start.
    """

    begin: float = 0.5
    """Fraction of the training from which on the number of connections may change."""
    window: int = 4
    """Epochs over which the rises are counted."""
    rises: float = 0.5
    """Share of the window that must have risen."""
    extra_dropped: float = 0.4
    """Connections dropped beside those that are replaced, as a share of these."""
    extra_grown: float = 0.05
    """Connections grown beside those that are replaced, as a share of these."""
    attack: Attack | None = None
    """How the gap and the loss are measured; None: on clean images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("begin", "rises", "extra_dropped", "extra_grown"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.window < 1:
            raise ValueError(f"window must be at least 1 epoch, got {self.window}")

    def exchange(self, masks: Masks, moment: Moment, memory: Memory) -> Exchange:
        dropped, grown = super().exchange(masks, moment, memory)
        if GAPS not in memory or moment.step < self.begin * moment.steps:
            return dropped, grown
        gaps, losses = (memory[name][-self.window - 1 :].tolist() for name in (GAPS, LOSSES))
        more, again = self.extra_dropped, self.extra_grown
        if _share(now > before for before, now in pairwise(gaps)) >= self.rises:
            dropped = {
                name: min(count + int(more * count), int(masks[name].sum()) - 1)
                for name, count in dropped.items()
            }
        if _share(now >= before for before, now in pairwise(losses)) >= self.rises:
            grown = {
                name: min(count + int(again * count), int((~masks[name]).sum()) + dropped[name])
                for name, count in grown.items()
            }
        return dropped, grown

    def review(
        self, network: Network, masks: Masks, data: LearningData, moment: Moment, memory: Memory
    ) -> Masks:
        seed, training = derive(moment.seed, "gap", moment.step), network.training
        network.eval()
        try:
            count = len(data.validation)
            known, _ = self._measured(network, data.train, count, derive(seed, "train"))
            accuracy, loss = self._measured(network, data.validation, count, derive(seed, "validation"))
        finally:
            network.train(training)
        for name, value in ((GAPS, known - accuracy), (LOSSES, loss)):
            before = memory.get(name, torch.zeros(0, dtype=torch.float64))
            memory[name] = torch.cat([before, torch.tensor([value], dtype=torch.float64)])
        return masks

    def _measured(self, network: Network, split: Split, count: int, seed: int) -> tuple[float, float]:
        """Accuracy and mean cross entropy of the first ``count`` images of ``split``, attacked if asked."""
        count = min(count, len(split))
        correct, loss = torch.zeros(2, dtype=torch.float64, device=network.mean.device).unbind()
        for places in torch.split(torch.arange(count), PART):
            images = split.images[places].to(network.mean.device).float() / WHITE
            labels = split.labels[places].to(network.mean.device)
            if self.attack is not None:
                images = self.attack(network, images, labels, places.to(images.device), seed)
            with torch.no_grad():
                logits = network(images)
            correct += (logits[:, : network.classes].argmax(1) == labels).sum()
            loss += cross_entropy(logits, labels, reduction="sum").double()
        return correct.item() / count, loss.item() / count


def _share(rises: Iterable[bool]) -> float:
    """The share of ``rises`` that are true; none of none."""
    found = list(rises)
    return sum(found) / len(found) if found else 0.0
