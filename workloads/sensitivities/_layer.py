"""One layer of a network whose other layers, and the images, stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.pruning._samples import Samples

#: Images of one forward pass. Fixed: how many there are may show in the last bits of a result.
BATCH = 512


@dataclass(frozen=True)
class Layer:
    """The layer of ``network`` with the weight ``name``, judged on fixed ``samples``.

    The network is judged by the logits of its known classes. It is never changed: another weight is only
    lent to it for one pass.
    """

    network: Network
    name: str
    mask: Tensor | None
    """Which of its weights exist; None: all."""
    samples: Samples

    @property
    def weight(self) -> Tensor:
        """The weight that the network has."""
        return self.network.get_parameter(self.name).detach()

    def masked(self, weight: Tensor) -> Tensor:
        """``weight`` with zeros where no weight exists."""
        return weight if self.mask is None else weight * self.mask

    def logits(self, weight: Tensor, images: Tensor) -> Tensor:
        """What the network says of ``images`` (N, C, H, W) if ``weight`` were this layer's: (N, K)."""
        said: Tensor = functional_call(self.network, {self.name: weight}, (images,))
        return said[:, : self.network.classes]

    @torch.no_grad()
    def judged(self, weight: Tensor) -> tuple[float, float]:
        """The mean cross-entropy and the accuracy of the network if ``weight`` were this layer's."""
        loss, right = torch.zeros((), dtype=torch.float64), 0
        for part in self.batches(BATCH):
            logits = self.logits(weight, part.images)
            loss += cross_entropy(logits.double(), part.labels, reduction="sum").cpu()
            right += int((logits.argmax(1) == part.labels).sum())
        return float(loss) / len(self.samples), right / len(self.samples)

    def slope(self, weight: Tensor, part: Samples) -> Tensor:
        """The gradient of the mean cross-entropy of ``part`` by ``weight``, zero where no weight exists."""
        with torch.enable_grad():
            weight = weight.clone().requires_grad_()
            loss = cross_entropy(self.logits(weight, part.images), part.labels)
            (gradient,) = torch.autograd.grad(loss, weight)
        return self.masked(gradient)

    def batches(self, size: int) -> Iterator[Samples]:
        """The samples in as few parts of at most ``size`` as there can be, equal to one image."""
        yield from self.samples.parts(-(-len(self.samples) // size))
