"""What every attack promises, and what none can cheat on: the ball and the box."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, final

import torch
from torch import Tensor

from workloads.attacks._projection import Norm, project
from workloads.attacks._units import in_pixel_range


class Model(Protocol):
    """What can be attacked: from images (N, C, H, W) in [0, 1] to logits (N, K + unknown outputs)."""

    classes: int
    """K: an image is misclassified when the largest of its first K logits is not its label's."""

    def __call__(self, images: Tensor, /) -> Any: ...


@dataclass(frozen=True)
class Attack(ABC):
    """A search for the worst image within ``epsilon`` (in units of the pixel range [0, 1]) of each image."""

    version: ClassVar[int] = 1
    black_box: ClassVar[bool] = False
    """Whether it (also) searches without gradients, so that vanishing ones do not blind it."""

    epsilon: float = 8 / 255
    norm: Norm = "linf"

    def __post_init__(self) -> None:
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon must not be negative, got {self.epsilon}")
        if self.norm == "linf":
            in_pixel_range("epsilon", self.epsilon)

    @final
    def __call__(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        """Perturbed ``images``: inside the ball, inside [0, 1], detached.

        ``samples`` (N,) are the images' positions in their split: noise is drawn per sample from
        (``seed``, position), so the batch size changes nothing. The caller sets the model's mode.
        """
        with torch.inference_mode(False), torch.no_grad():
            # What was made in inference mode cannot be differentiated; copies can.
            images, labels, samples = (
                given.clone() if given.is_inference() else given for given in (images, labels, samples)
            )
            found = self.perturb(model, images, labels, samples, seed)
            return project(found, images, self.epsilon, self.norm).detach()

    def stronger(self) -> Attack | None:
        """An attack of about twice the cost that should find no more if this one is enough; a hook.

        None: there is none that is worth to try.
        """
        return None

    @abstractmethod
    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        """The search itself, without gradients unless it asks for them.

        It may leave the ball: ``__call__`` projects whatever it returns.
        """
