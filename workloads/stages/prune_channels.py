"""Structured pruning: whole channels go, and what is left is a smaller network, not a masked one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import torch

from orchestrator.build import find
from orchestrator.stage import Role, Workspace
from workloads.architectures._channels import composed, keep, sliced
from workloads.architectures._initialise import initialise
from workloads.architectures.base import Network
from workloads.channels._amounts import Costs, Unit, within
from workloads.channels._groups import Group, coupled, sides
from workloads.channels.base import ChannelCriterion
from workloads.datasets.base import LearningData
from workloads.masks import layer_of, prunable
from workloads.randomness import derive
from workloads.sparsity.base import Allocation
from workloads.sparsity.uniform import Uniform
from workloads.stages._data import learning
from workloads.stages._networks import Model, read
from workloads.stages.base import TorchStage
from workloads.training.batch_norm import recompute_statistics
from workloads.training.cost import layer_flops

#: ``global`` is a keyword of Python, so its module cannot be imported by a statement.
GLOBAL = find(Allocation, "global")


@dataclass(frozen=True)
class PruneChannels(TorchStage):
    """Removes channels of the network under ``model``, those that shortcuts couple together.

    With a network under ``weights`` the channels that stay take its values, be it whole or narrowed less. The
    baseline small-dense, to compare with a sparse network of as many weights, is what `initialise` gives with
    ``{criterion: random, allocation: uniform, of: weights, sparsity: $sparsity, fresh: true}``, then trained.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE, "weights": Role.OPTIONAL}

    criterion: ChannelCriterion
    allocation: Literal["global", "uniform"] = "global"
    """Whether all channels compete, or those of each layer alone."""
    of: Unit = "channels"
    """What the share is taken of. The network comes out at most as large as asked, up to a channel."""
    sparsity: float | None = None
    """Share of what the architecture has that is gone afterwards."""
    fraction: float | None = None
    """Share of what is left that goes."""
    seed: int = 0
    batch_norm: Literal["keep", "clean"] = "keep"
    """Batch-norm statistics: those the values came with, or new ones of the training images."""
    fresh: bool = False
    """Draw first weights as the smaller network has them (Liu et al., 2019, arXiv 1810.05270)."""

    def __post_init__(self) -> None:
        amounts = {"sparsity": self.sparsity, "fraction": self.fraction}
        given = {name: amount for name, amount in amounts.items() if amount is not None}
        if len(given) != 1:
            raise ValueError(f"exactly one of sparsity and fraction must be given, got {[*given]}")
        for name, share in given.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be in [0, 1), got {share}")

    def check(self, reads: Iterable[str]) -> None:
        if self.fresh and "weights" in reads:
            raise ValueError("fresh draws all values, so weights must not be read, got the role weights")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        data = learning(model.dataset, space)
        before = sum(weight.numel() for weight in prunable(model.network).values())
        # Ranks decide here: full precision, and on a GPU the same sums every time.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            for number, budget in enumerate(self._budgets(model.network)):
                model = self._narrowed(model, data, budget, number)
        if sum(weight.numel() for weight in prunable(model.network).values()) == before:
            space.warnings.append("no channel went: the network was as small as asked already")
        pruned = self._values(model, space)
        if self.batch_norm == "clean":
            recompute_statistics(pruned.network, data.train.images)
        pruned.publish(space.output)
        groups = coupled(pruned.network)
        left = {f"{unit}_left": _costs(unit, pruned.network, groups).left() for unit in get_args(Unit)}
        return {**pruned.cost(), **left, "single_channel_layers": float(_warn(pruned.network, groups, space))}

    def _budgets(self, network: Network) -> list[float]:
        """What the network may cost after each round; rounds that it has behind it already are left out."""
        groups = coupled(network)
        if not groups:
            raise ValueError("the network must have channels between its layers, got none that can go")
        costs = _costs(self.of, network, groups)
        whole, own = costs.of_architecture(), 1 - costs.left()
        target = 1 - (1 - (self.fraction or 0.0)) * costs.left() if self.sparsity is None else self.sparsity
        *before, last = self.criterion.rounds(target)
        return [(1 - level) * whole for level in [*(level for level in before if level > own), last]]

    def _narrowed(self, model: Model, data: LearningData, budget: float, number: int) -> Model:
        """``model`` without as many channels as the round of this ``number`` takes."""
        network, groups = model.network, coupled(model.network)
        seed = derive(self.seed, "round", number) if number else self.seed
        scores = self.criterion.scores(network, groups, data, seed)
        allocation = GLOBAL() if self.allocation == "global" else Uniform()
        now = sides(groups, within(_costs(self.of, network, groups), scores, allocation, budget))
        keep(network, composed(network.channels, now))
        return replace(model, masks={name: sliced(name, mask, now) for name, mask in model.masks.items()})

    def _values(self, model: Model, space: Workspace) -> Model:
        """The narrowed network: with its values, those of ``weights``, or first ones."""
        source = model
        if "weights" in space.inputs:
            source = read(space.inputs["weights"], space.device)
            source.agree(model.architecture, model.dataset)
            keep(source.network, model.network.channels)
        if self.fresh:
            # Drawn on the CPU, and put where the network is.
            initialise(model.network.cpu(), derive(self.seed, "weights", 0), model.architecture.initial)
            model.network.to(space.device)
        return replace(
            source,
            masks=model.masks,
            epochs=max(model.epochs, source.epochs),
            training_flops=max(model.training_flops, source.training_flops),
        )


def _costs(unit: Unit, network: Network, groups: Sequence[Group]) -> Costs:
    return Costs(unit, network, groups, layer_flops(network))


def _warn(network: Network, groups: Sequence[Group], space: Workspace) -> int:
    """How many layers hang by one channel; say which."""
    thin = [layer_of(group.name) for group in groups if group.size == 1 < group.of_architecture(network)]
    if thin:
        space.warnings.append(f"pruning left a single channel in {', '.join(thin)}")
    return len(thin)
