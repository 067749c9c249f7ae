"""Pruning: the lowest ranked of the weights that are left go, in as many rounds as the criterion asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from orchestrator.build import find
from orchestrator.stage import LATER, Role, Workspace
from workloads.architectures._channels import keep
from workloads.datasets.base import LearningData
from workloads.masks import Masks, apply_masks, layer_of, single_weight_layers
from workloads.pruning._amounts import by_layer, by_pattern, left_of, parsed, sparsity_after
from workloads.pruning._rounds import in_rounds, shuffled
from workloads.pruning.base import Criterion
from workloads.sparsity.base import Allocation
from workloads.sparsity.given import Given
from workloads.stages._data import learning
from workloads.stages._networks import Model, read
from workloads.stages._ratios import read_ratios
from workloads.stages.base import TorchStage
from workloads.training.batch_norm import recompute_statistics

#: ``global`` is a keyword of Python, so its module cannot be imported by a statement.
GLOBAL = find(Allocation, "global")


@dataclass(frozen=True)
class Prune(TorchStage):
    """Removes weights of the network under ``model``, by one of sparsity, fraction, fractions and pattern.

    With a network under ``weights`` the survivors take its values (rewinding, or another start). What another
    stage found under ``ratios`` spreads a sparsity or fraction over the layers with the allocation ``given``.
    """

    version: ClassVar[int] = 2
    roles: ClassVar[Mapping[str, Role]] = {
        "model": Role.ONE,
        "weights": Role.OPTIONAL,
        "ratios": Role.OPTIONAL,
    }

    criterion: Criterion
    allocation: Allocation = field(default_factory=GLOBAL)
    """How the amount is spread over layers; has no say in ``fractions`` and ``pattern``."""
    sparsity: float | None = None
    """Share of all prunable weights that is gone afterwards."""
    fraction: float | None = None
    """Share of the weights left in the whole network that goes."""
    fractions: Mapping[str, float] | None = None
    """Share of the weights left in a layer that goes: ``{hidden1: 0.2, head: 0.1}``; other layers stay."""
    seed: int = 0
    batch_norm: Literal["keep", "clean"] = "keep"
    """Batch-norm statistics: those the values came with, or new ones of the training images."""
    pattern: str | None = field(default=None, metadata=LATER)
    """``2:4``: at most two of every four neighbouring inputs of an output stay."""
    shuffle: bool = field(default=False, metadata=LATER)
    """Put as many weights of each layer at random places: a control for where a criterion puts them."""

    def __post_init__(self) -> None:
        amounts = {
            "sparsity": self.sparsity,
            "fraction": self.fraction,
            "fractions": self.fractions,
            "pattern": self.pattern,
        }
        given = [name for name, amount in amounts.items() if amount is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of sparsity, fraction, fractions and pattern must be given, got {given}"
            )
        shares = {"sparsity": self.sparsity, "fraction": self.fraction, **(self.fractions or {})}
        for name, share in shares.items():
            if share is not None and not 0 <= share < 1:
                raise ValueError(f"{name} must be in [0, 1), got {share}")
        if self.pattern is not None:
            parsed(self.pattern)
        if given[0] in ("fractions", "pattern") and len(self.criterion.rounds(0.9)) > 1:
            raise ValueError(
                f"a criterion that prunes in rounds needs sparsity or fraction, got {given[0]} with "
                f"{type(self.criterion).__name__}"
            )

    def check(self, reads: Iterable[str]) -> None:
        waiting = isinstance(self.allocation, Given) and not self.allocation.ratios
        if waiting != ("ratios" in reads):
            raise ValueError(
                "prune reads ratios if and only if its allocation is given and names none itself, got "
                f"{type(self.allocation).__name__} {'without' if waiting else 'with'} the role ratios"
            )

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        data = learning(model.dataset, space)
        # Ranks decide here: full precision, and on a GPU the same sums every time.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            masks = self._masks(model, data, space)
        if self.shuffle:
            if model.masks and "weights" not in space.inputs:
                raise ValueError("shuffle needs a dense network, or values for all weights under weights")
            masks = shuffled(masks, self.seed)
        pruned = self._values(model, masks, space)
        if self.batch_norm == "clean":
            recompute_statistics(pruned.network, data.train.images)
        pruned.publish(space.output)
        return {**pruned.cost(), "single_weight_layers": float(self._warn(masks, space))}

    def _masks(self, model: Model, data: LearningData, space: Workspace) -> Masks:
        """The masks of the amount that is given."""
        if self.fractions is not None:
            return by_layer(self._scores(model, data), self.fractions)
        if self.pattern is not None:
            return by_pattern(self._scores(model, data), *parsed(self.pattern))
        allocation, sparsity = self.allocation, self.sparsity
        if isinstance(allocation, Given) and "ratios" in space.inputs:
            allocation = replace(allocation, ratios=read_ratios(space.inputs["ratios"]))
        if sparsity is None:
            sparsity = sparsity_after(self.fraction or 0.0, model.network, model.masks)
        network, masks = model.network, model.masks
        return in_rounds(self.criterion, allocation, network, masks, data, sparsity=sparsity, seed=self.seed)

    def _scores(self, model: Model, data: LearningData) -> dict[str, Tensor]:
        """One score a weight, for what is pruned in one round."""
        return left_of(self.criterion.scores(model.network, data, self.seed), model.masks)

    def _values(self, model: Model, masks: Masks, space: Workspace) -> Model:
        """The pruned network: the values of ``weights`` if that is read, else those it had."""
        source = model
        if "weights" in space.inputs:
            source = read(space.inputs["weights"], space.device)
            source.agree(model.architecture, model.dataset)
            keep(source.network, model.network.channels)
        apply_masks(source.network, masks)
        return replace(
            source,
            masks=masks,
            epochs=max(model.epochs, source.epochs),
            training_flops=max(model.training_flops, source.training_flops),
        )

    def _warn(self, masks: Masks, space: Workspace) -> int:
        """How many layers hang by one weight; say which, and which a pattern did not fit."""
        thin = single_weight_layers(masks)
        if thin:
            space.warnings.append(f"pruning left a single weight in {', '.join(thin)}")
        whole = [layer_of(name) for name, mask in masks.items() if self.pattern and mask.all()]
        if whole:
            space.warnings.append(
                f"{', '.join(whole)} stayed dense: the inputs are no multiple of what {self.pattern} groups"
            )
        return len(thin)
