"""Pruning in one shot: the lowest ranked of the weights that are left go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from orchestrator.build import find
from orchestrator.stage import Role, Workspace
from workloads.masks import Masks, apply_masks, layer_of
from workloads.pruning._amounts import by_fraction, by_layer, to_sparsity
from workloads.pruning.base import Criterion
from workloads.sparsity.base import Allocation
from workloads.stages._data import learning
from workloads.stages._networks import Model, read
from workloads.stages.base import TorchStage
from workloads.training.batch_norm import recompute_statistics

#: ``global`` is a keyword of Python, so its module cannot be imported by a statement.
GLOBAL = find(Allocation, "global")


@dataclass(frozen=True)
class Prune(TorchStage):
    """Removes weights of the network under ``model``, by exactly one of sparsity, fraction and fractions.

    With a network under ``weights`` the survivors take its values (rewinding, or another start).
    """

    version: ClassVar[int] = 2
    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE, "weights": Role.OPTIONAL}

    criterion: Criterion
    allocation: Allocation = field(default_factory=GLOBAL)
    """How the amount is spread over layers; has no say in ``fractions``."""
    sparsity: float | None = None
    """Share of all prunable weights that is gone afterwards."""
    fraction: float | None = None
    """Share of the weights left in the whole network that goes."""
    fractions: Mapping[str, float] | None = None
    """Share of the weights left in a layer that goes: ``{hidden1: 0.2, head: 0.1}``; other layers stay."""
    seed: int = 0
    batch_norm: Literal["keep", "clean"] = "keep"
    """Batch-norm statistics: those the values came with, or new ones of the training images."""

    def __post_init__(self) -> None:
        shares = dict(self.fractions or {})
        if self.sparsity is not None:
            shares["sparsity"] = self.sparsity
        if self.fraction is not None:
            shares["fraction"] = self.fraction
        given = [amount for amount in (self.sparsity, self.fraction, self.fractions) if amount is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of sparsity, fraction and fractions must be given, got {len(given)}"
            )
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be in [0, 1), got {share}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        data = learning(model.dataset, space)
        scores = dict(self.criterion.scores(model.network, data, self.seed))
        for name, mask in model.masks.items():
            scores[name] = scores[name].masked_fill(~mask, -torch.inf)
        masks = self._masks(scores)
        pruned = self._values(model, masks, space)
        if self.batch_norm == "clean":
            recompute_statistics(pruned.network, data.train.images)
        pruned.publish(space.output)
        self._warn(masks, space)
        return pruned.cost()

    def _masks(self, scores: Mapping[str, Tensor]) -> Masks:
        """The masks of the amount that is given."""
        if self.sparsity is not None:
            return to_sparsity(scores, self.allocation, self.sparsity)
        if self.fraction is not None:
            return by_fraction(scores, self.allocation, self.fraction)
        return by_layer(scores, self.fractions or {})

    def _values(self, model: Model, masks: Masks, space: Workspace) -> Model:
        """The pruned network: the values of ``weights`` if that is read, else those it had."""
        source = model
        if "weights" in space.inputs:
            source = read(space.inputs["weights"], space.device)
            source.agree(model.architecture, model.dataset)
        apply_masks(source.network, masks)
        return replace(
            source,
            masks=masks,
            epochs=max(model.epochs, source.epochs),
            training_flops=max(model.training_flops, source.training_flops),
        )

    def _warn(self, masks: Masks, space: Workspace) -> None:
        """Say which layers hang by one weight."""
        thin = [layer_of(name) for name, mask in masks.items() if mask.numel() > 1 and int(mask.sum()) == 1]
        if thin:
            space.warnings.append(f"pruning left a single weight in {', '.join(thin)}")
