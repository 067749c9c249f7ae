"""The last step of RiFT: from a robust network towards a fine-tuned one, as far as it stays robust.

Zhu et al. (2023): "Improving Generalization of Adversarial Training via Robust Critical Fine-Tuning",
arXiv 2308.02533.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from orchestrator.stage import Role, Workspace
from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.attacks.pgd import Pgd
from workloads.datasets.base import Split
from workloads.stages._data import learning
from workloads.stages._networks import Model, read
from workloads.stages._ratios import write_table
from workloads.stages.base import TorchStage
from workloads.training.evaluation import attacked, drawn
from workloads.training.interpolation import best_within, between
from workloads.training.loop import validated

LINE = "line.json"


@dataclass(frozen=True)
class Interpolate(TorchStage):
    """Takes the network with the best validation accuracy on the line from ``start`` to ``end``.

    Only those count whose robust validation accuracy is at most `drop` below that of ``start``.
    """

    roles: ClassVar[Mapping[str, Role]] = {"start": Role.ONE, "end": Role.ONE}

    attack: Attack = field(default_factory=Pgd)
    drop: float = 0.001
    """Robust accuracy that may be lost: 0.001 is 0.1 point, as in RiFT."""
    steps: int = 10
    """Networks after ``start`` on the line, at equal distances; the last is ``end``."""
    samples: int | None = None
    """Validation images that are attacked, a fixed draw; None: all."""
    batch_size: int = 256
    seed: int = 0
    """Seeds the attack's random starts, the same for all networks."""

    def __post_init__(self) -> None:
        if not self.drop >= 0:
            raise ValueError(f"drop must not be negative, got {self.drop}")
        for name in ("steps", "samples", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        start, end = (read(space.inputs[role], space.device) for role in ("start", "end"))
        _agree(start, end)
        held = learning(start.dataset, space).validation
        shares = [step / self.steps for step in range(self.steps + 1)]
        natural, robust = [], []
        for done, share in enumerate(shares, start=1):
            network = between(start.network, end.network, share)
            natural.append(validated(network, held)["validation.accuracy"])
            robust.append(self._robust(network, held))
            space.progress(done, len(shares))
        place = best_within(natural, robust, self.drop)
        rows = zip(shares, natural, robust, strict=True)
        names = ("share", "accuracy", "accuracy_attacked")
        write_table(
            space.output / LINE,
            {"line": [dict(zip(names, row, strict=True)) for row in rows], "taken": place},
        )
        found = replace(end, network=between(start.network, end.network, shares[place]))
        found.publish(space.output)
        return {
            "share": shares[place],
            "validation.accuracy": natural[place],
            "validation.accuracy_gain": natural[place] - natural[0],
            "validation.accuracy_attacked": robust[place],
            "validation.accuracy_attacked_drop": robust[0] - robust[place],
            **found.cost(),
        }

    def _robust(self, network: Network, held: Split) -> float:
        """The accuracy under the attack."""
        places = drawn(len(held), self.samples)
        found = attacked(network, self.attack, held, places, batch_size=self.batch_size, seed=self.seed)
        return float(found.standing(network.classes).double().mean())


def _agree(start: Model, end: Model) -> None:
    """Refuse two networks between which there is no line.

    Raises:
        ValueError: they differ in architecture, data set, channels or masks.
    """
    end.agree(start.architecture, start.dataset)
    for kind, one, two in (
        ("masks", start.masks, end.masks),
        ("channels", start.network.channels, end.network.channels),
    ):
        if one.keys() != two.keys() or any(not torch.equal(one[name], two[name]) for name in one):
            raise ValueError(
                f"start and end must have the same {kind}: a line between others is not as sparse"
            )
