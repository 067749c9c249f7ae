"""The function by which a network with more outputs than classes is judged."""

from __future__ import annotations

from torch import Tensor

from workloads.attacks.base import Model


class Known:
    """``model`` with the logits (N, K) of its known classes alone."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.classes = model.classes

    @property
    def training(self) -> bool:
        """Whether ``model`` is in training mode."""
        return bool(getattr(self.model, "training", False))

    def __call__(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits[:, : self.classes]
