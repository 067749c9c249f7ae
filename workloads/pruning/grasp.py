"""GraSP, gradient signal preservation (Wang, Zhang and Grosse, 2020, arXiv 2002.07376)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import Differentiated, curved
from workloads.pruning._samples import Samples

#: The authors sum the gradients of two half batches.
HALVES = 2


@dataclass(frozen=True)
class Grasp(Differentiated):
    """Ranks weights by weight x (H g): going down keeps what the gradient flow needs.

    The paper's score is the negative, -weight x (H g), and it removes the highest. The authors' code draws
    the linear layers of the copy that it scores anew; here the network is scored as it is.
    """

    training: ClassVar[bool] = True

    temperature: float = 200.0
    """What the logits are divided by."""
    direction: Literal["official", "inverted"] = "official"
    """``inverted`` removes what the paper keeps, a reading that stands in some later comparisons."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature <= 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}")

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        product = curved(network, weights, samples.parts(HALVES), self.temperature)
        sign = 1 if self.direction == "official" else -1
        return [sign * weight * change for weight, change in zip(weights, product, strict=True)]
