"""TRADES.

Zhang, Yu, Jiao, Xing, El Ghaoui and Jordan (2019): "Theoretically Principled Trade-off between Robustness and
Accuracy", arXiv 1901.08573; with the constants of the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.attacks._units import in_pixel_range
from workloads.objectives._inner import diverged, with_divergence
from workloads.objectives.base import Batch, Objective


@dataclass(frozen=True)
class Trades(Objective):
    """Minimises CE(f(x), y) + beta KL(f(x) || f(x')), where x' in the ball makes that divergence largest.

    The divergence is over all outputs, unknown ones too. Its gradient reaches the weights through x and x'.
    x' is climbed to on the network in evaluation mode; in the loss, batch norm sees x and x' apart.
    """

    beta: float = 6.0
    epsilon: float = 8 / 255
    step: float | None = None
    """Length of a step; none given: 2.5 * epsilon / steps, 0.0078 at the defaults. The authors take 0.007."""
    steps: int = 10

    def __post_init__(self) -> None:
        if not self.beta >= 0:
            raise ValueError(f"beta must not be negative, got {self.beta}")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon must not be negative, got {self.epsilon}")
        in_pixel_range("epsilon", self.epsilon)
        if self.step is not None and not self.step > 0:
            raise ValueError(f"step must be above 0, got {self.step}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")

    def prepared(self, network: Network, batch: Batch) -> Batch:
        step = 2.5 * self.epsilon / self.steps if self.step is None else self.step
        return with_divergence(self.epsilon, step, self.steps, network, batch)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        attacked = self.prepared(network, batch).attacked
        clean, hard = network(batch.images), network(attacked)
        return cross_entropy(clean, batch.labels) + self.beta * diverged(clean, hard).mean()
