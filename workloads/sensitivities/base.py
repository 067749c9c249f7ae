"""What every form of sensitivity promises: how much worse a network does when one of its layers changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from workloads.sensitivities._layer import Layer


@dataclass(frozen=True)
class Reading:
    """What a change of one layer does to the network on the fixed images."""

    loss_before: float
    loss_after: float
    accuracy_before: float
    accuracy_after: float
    distance: float
    """The length of the change over that of the layer's weight."""

    @property
    def sensitivity(self) -> float:
        """How much the mean cross-entropy rises: higher is more sensitive."""
        return self.loss_after - self.loss_before


@dataclass(frozen=True)
class Sensitivity(ABC):
    """A way to change the weight of one layer, and what the network loses by it on images fixed before."""

    version: ClassVar[int] = 1

    @final
    @torch.no_grad()
    def __call__(self, layer: Layer) -> Reading:
        """What the change of ``layer`` does. The network is left as it is, and the caller sets its mode.

        A weight that does not exist stays zero, whatever the form returns.

        Raises:
            RuntimeError: the changed weight is not finite.
        """
        changed = layer.masked(self.changed(layer))
        if not changed.isfinite().all():
            raise RuntimeError(f"the changed weight of {layer.name} must stay finite; try a smaller lr")
        (before, right), (after, still_right) = layer.judged(layer.weight), layer.judged(changed)
        distance = (changed - layer.weight).norm() / layer.weight.norm().clamp_min(torch.finfo().tiny)
        return Reading(before, after, right, still_right, float(distance))

    def unfinished(self, distance: float) -> bool:
        """Whether a change of this relative length leaves room for more harm than was found; a hook.

        A form that does not search has an obvious answer.
        """
        return False

    @abstractmethod
    def changed(self, layer: Layer) -> Tensor:
        """The weight that ``layer`` has after the change; a new tensor."""
