"""Structured pruning: whole channels go, and what is left is a smaller network, not a masked one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from orchestrator.build import find
from orchestrator.stage import Role, Workspace
from workloads.architectures._channels import Channels, composed, keep, sliced
from workloads.architectures._initialise import initialise
from workloads.channels._amounts import Costs, Unit, within
from workloads.channels._groups import coupled, sides
from workloads.channels.base import ChannelCriterion
from workloads.masks import Masks, layer_of
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
        groups = coupled(model.network)
        if not groups:
            raise ValueError("the network must have channels between its layers, got none that can go")
        flops = layer_flops(model.network)
        costs = {unit: Costs(unit, model.network, groups, flops) for unit in get_args(Unit)}
        # Ranks decide here: full precision, and on a GPU the same sums every time.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            scores = self.criterion.scores(model.network, groups, data, self.seed)
        masks = within(costs[self.of], scores, self._allocation(), self._budget(costs[self.of]))
        left = {f"{unit}_left": cost.of(masks) / cost.of_architecture() for unit, cost in costs.items()}
        pruned = self._values(model, sides(groups, masks), space)
        if self.batch_norm == "clean":
            recompute_statistics(pruned.network, data.train.images)
        pruned.publish(space.output)
        return {**pruned.cost(), **left, "single_channel_layers": float(_warn(masks, space))}

    def _allocation(self) -> Allocation:
        return GLOBAL() if self.allocation == "global" else Uniform()

    def _budget(self, costs: Costs) -> float:
        """What the network may cost afterwards."""
        if self.sparsity is not None:
            return (1 - self.sparsity) * costs.of_architecture()
        return (1 - (self.fraction or 0.0)) * costs.now()

    def _values(self, model: Model, now: Channels, space: Workspace) -> Model:
        """The narrowed network: with its values, those of ``weights``, or first ones."""
        channels, masks = composed(model.network.channels, now), _sliced(model.masks, now)
        source = model
        if "weights" in space.inputs:
            source = read(space.inputs["weights"], space.device)
            source.agree(model.architecture, model.dataset)
        keep(source.network, channels)
        if self.fresh:
            # Drawn on the CPU, and put where the network is.
            network = source.network.cpu()
            initialise(network, derive(self.seed, "weights", 0), model.architecture.initial)
            network.to(space.device)
        return replace(
            source,
            masks=masks,
            epochs=max(model.epochs, source.epochs),
            training_flops=max(model.training_flops, source.training_flops),
        )


def _sliced(masks: Mapping[str, Tensor], now: Channels) -> Masks:
    return {name: sliced(name, mask, now) for name, mask in masks.items()}


def _warn(masks: Masks, space: Workspace) -> int:
    """How many layers hang by one channel; say which."""
    thin = [layer_of(name) for name, mask in masks.items() if mask.numel() > 1 and int(mask.sum()) == 1]
    if thin:
        space.warnings.append(f"pruning left a single channel in {', '.join(thin)}")
    return len(thin)
