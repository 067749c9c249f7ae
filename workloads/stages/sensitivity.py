"""How much the robustness of a network hangs by each of its layers, and what each may lose for that.

The measure ``weight_perturbation`` is published (Zhu et al., 2023, arXiv 2308.02533). How sensitivities turn
into pruning ratios is OUR RECONSTRUCTION of the idea of Bai et al. (2024, arXiv 2410.15176), whose rule is
not known to us.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, ClassVar, Literal

import torch

from orchestrator.stage import Role, Workspace
from workloads.architectures._modes import evaluated
from workloads.attacks.base import Attack
from workloads.attacks.pgd import Pgd
from workloads.masks import layer_of, prunable
from workloads.pruning._samples import Samples, in_turns
from workloads.sensitivities._layer import Layer
from workloads.sensitivities._ratios import Scale, pruning_ratios
from workloads.sensitivities.base import Sensitivity as Measure
from workloads.stages._data import learning
from workloads.stages._networks import Model, read
from workloads.stages._ratios import RATIOS, SENSITIVITIES, write_table
from workloads.stages.base import TorchStage
from workloads.training.evaluation import fixed_attack

DONE = "done.json"


@dataclass(frozen=True)
class Sensitivity(TorchStage):
    """Changes one layer at a time of the network under ``model`` and measures its loss on attacked images.

    The images are attacked once and stay so. The output is a table of layers, and ratios that `prune` reads
    under ``ratios`` with ``allocation: given``: a layer loses in proportion to 1 - protection * u, where u in
    [0, 1] is its scaled sensitivity. That rule is our reconstruction.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE}

    measure: Measure
    attack: Attack = field(default_factory=Pgd)
    samples: int = 1024
    """Images, as many of each class as there are; all, where the split has fewer."""
    split: Literal["train", "validation"] = "train"
    seed: int = 0
    """Seeds the choice of the images and the attack's random starts."""
    scale: Scale = "min_max"
    """How sensitivities become u: linearly, or by their ranks."""
    protection: float = 0.8
    """How much less the most sensitive layer loses than the least: 0 is as much, 1 is nothing."""

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")
        if not 0 <= self.protection <= 1:
            raise ValueError(f"protection must be in [0, 1], got {self.protection}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        seen = getattr(learning(model.dataset, space), self.split)
        places = in_turns(seen.labels, self.samples, self.seed)
        # Ranks decide here: full precision, and on a GPU the same sums every time.
        with (
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
            evaluated(model.network),
        ):
            attacked = fixed_attack(model.network, self.attack, seen, places, self.seed)
            table = self._table(model, attacked, space)
        found = {name: row["sensitivity"] for name, row in table.items()}
        write_table(space.output / SENSITIVITIES, table)
        write_table(space.output / RATIOS, pruning_ratios(found, self.scale, self.protection))
        self._warn(table, space)
        first = next(iter(table.values()))
        metrics = {
            **{f"sensitivity_{name}": value for name, value in found.items()},
            "sensitivity_min": min(found.values()),
            "sensitivity_mean": fmean(found.values()),
            "sensitivity_max": max(found.values()),
            "loss": first["loss_before"],
            "accuracy": first["accuracy_before"],
            "images": float(len(places)),
        }
        return {f"{self.split}.{name}": value for name, value in metrics.items()}

    def _warn(self, table: Mapping[str, Mapping[str, Any]], space: Workspace) -> None:
        """Say in which layers a longer search may find more, so that layers cannot be compared."""
        short = [name for name, row in table.items() if self.measure.unfinished(row["distance"])]
        if short:
            space.warnings.append(
                f"the search in {', '.join(short)} ended inside of what is allowed: more epochs or a larger "
                "lr may show these layers more sensitive"
            )

    def _table(self, model: Model, attacked: Samples, space: Workspace) -> dict[str, dict[str, Any]]:
        """Layer -> its size and what was measured; layers measured before an interruption are not again."""
        latest = space.checkpoint.latest()
        table = json.loads((latest[1] / DONE).read_text(encoding="utf-8")) if latest else {}
        weights = prunable(model.network)
        for name in [*weights][len(table) :]:
            mask = model.masks.get(name)
            reading = self.measure(Layer(model.network, name, mask, attacked))
            size = weights[name].numel()
            table[layer_of(name)] = {
                "sensitivity": reading.sensitivity,
                "size": size,
                "nonzeros": size if mask is None else int(mask.sum()),
                **asdict(reading),
                "accuracy_drop": reading.accuracy_before - reading.accuracy_after,
            }
            if space.checkpoint.due():
                folder = space.scratch / f"layer-{len(table)}"
                folder.mkdir()
                write_table(folder / DONE, table)
                space.checkpoint.save(len(table), folder)
            space.progress(len(table), len(weights))
        return table
