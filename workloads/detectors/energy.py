"""The energy score.

Liu, Wang, Owens and Li (2020): "Energy-based Out-of-distribution Detection", arXiv 2010.03759.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Energy(Detector):
    """Distrusts images whose K known logits are small: -T * log(sum(exp(logits / T)))."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")

    def fit(self, train: Outputs) -> Scorer:
        def score(outputs: Outputs) -> Tensor:
            logits = outputs.logits[:, : outputs.classes].double()
            return -self.temperature * (logits / self.temperature).logsumexp(1)

        return score
