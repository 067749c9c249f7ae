"""Everything that changes during a training, and how it survives an interruption."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks, apply_masks, prunable
from workloads.sparse_training.base import Learning, Memory
from workloads.training.best import Best

FILE = "state.pt"


@dataclass
class State:
    """A training after ``step`` steps.

    Where a mask is False, the weight and the optimizer's memory of it are exactly zero after every step:
    masked gradients keep them so. Where the masks are learned, the optimizer moves their scores instead.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    losses: Tensor
    """The loss of each step of the current epoch (steps per epoch,)."""
    masks: Masks = field(default_factory=dict)
    memory: dict[str, Tensor] = field(default_factory=dict)
    """What the objective remembers."""
    topology: Memory = field(default_factory=dict)
    """What the sparsify component remembers."""
    learning: Learning | None = None
    """What is learned instead of weights, if masks are."""
    partial: bool = False
    """Whether the optimizer moves only some of the parameters."""
    average: dict[str, Tensor] = field(default_factory=dict)
    """The average of the parameters so far, by name; empty before any are taken."""
    averaged: int = 0
    """How many networks are in it."""
    step: int = 0
    updates: int = 0
    """Changes of the topology so far."""
    flops: float = 0.0
    """Floating-point operations of the steps so far."""
    best: Best | None = None
    """The network with the highest robust accuracy so far, where it is kept."""

    _masked: list[torch.nn.Parameter] = field(default_factory=list)
    _factors: list[Tensor] = field(default_factory=list)

    @cached_property
    def weights(self) -> dict[str, torch.nn.Parameter]:
        """The prunable weights of the network, by name."""
        return prunable(self.network)

    def adopt(self, masks: Masks) -> None:
        """Train with ``masks`` from now on; what they remove becomes zero, in the optimizer's memory too."""
        self.masks = masks
        if self.learning:
            self._show(self.learning, masks)
            return
        weights = self.weights
        apply_masks(self.network, masks)
        sparse = [name for name, mask in masks.items() if not mask.all()]
        self._masked = [weights[name] for name in sparse]
        # In the weights' own type and layout: the multiplication of every step is then one fused operation.
        self._factors = [torch.empty_like(weights[name]).copy_(masks[name]) for name in sparse]
        for weight, factor in zip(self._masked, self._factors, strict=True):
            for memory in self.optimizer.state[weight].values() if weight in self.optimizer.state else ():
                if isinstance(memory, Tensor) and memory.shape == weight.shape:
                    memory.mul_(factor)

    def clear_gradients(self) -> None:
        """Forget the gradients of the step before."""
        if self.learning or self.partial:
            self.network.zero_grad(set_to_none=True)
        else:
            self.optimizer.zero_grad(set_to_none=True)

    def gradients(self) -> dict[str, Tensor]:
        """The gradients of the prunable weights, by name; dense until they are masked, which is in place."""
        return {name: weight.grad for name, weight in self.weights.items() if weight.grad is not None}

    def mask_gradients(self) -> None:
        """Set the gradients of weights that do not exist to zero, or give learned scores theirs."""
        if self.learning:
            self._lead(self.learning)
        elif self._masked:
            gradients = [weight.grad for weight in self._masked if weight.grad is not None]
            torch._foreach_mul_(gradients, self._factors)

    @torch.no_grad()
    def _lead(self, learning: Learning) -> None:
        """Give the scores their gradients: straight through the mask, that of |score| times the weight."""
        for name, gradient in self.gradients().items():
            score = learning.scores[name]
            score.grad = gradient * learning.weights[name] * score.sign()

    @torch.no_grad()
    def _show(self, learning: Learning, masks: Masks) -> None:
        """Give the network the weights that ``masks`` select."""
        for name, value in learning.weights.items():
            torch.mul(value, masks[name], out=self.weights[name])

    def clip_gradients(self, norm: float) -> None:
        """Scale all gradients down to the common length ``norm`` where they are longer."""
        moved = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(moved, norm)

    def save(self, folder: Path) -> None:
        """Write all of it into ``folder``."""
        content = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses,
            "masks": self.masks,
            "memory": self.memory,
            "topology": self.topology,
            "scores": dict(self.learning.scores) if self.learning else {},
            "average": self.average,
            "averaged": self.averaged,
            "step": self.step,
            "updates": self.updates,
            "flops": self.flops,
            "best": vars(self.best) if self.best else None,
        }
        torch.save(content, folder / FILE)

    def restore(self, folder: Path) -> None:
        """Become what was saved in ``folder``."""
        content = torch.load(folder / FILE, map_location=self.losses.device, weights_only=True)
        self.network.load_state_dict(content["network"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.losses.copy_(content["losses"])
        self.memory, self.step, self.updates = content["memory"], content["step"], content["updates"]
        self.average, self.averaged = content["average"], content["averaged"]
        self.flops = content["flops"]
        self.best = Best.restored(content.get("best"))  # a checkpoint from before there was one has none
        self.topology = content["topology"]
        if self.learning:
            with torch.no_grad():
                for name, score in self.learning.scores.items():
                    score.copy_(content["scores"][name])
        self.adopt(content["masks"])
