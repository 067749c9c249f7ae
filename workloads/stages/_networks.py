"""Networks as stages read, make and publish them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build import build, data_of
from orchestrator.stage import Workspace
from workloads.architectures._channels import weights_of_architecture
from workloads.architectures.base import Architecture, Network
from workloads.datasets.base import Dataset, LearningData
from workloads.masks import Masks, density, prunable
from workloads.randomness import derive
from workloads.training.batches import statistics
from workloads.training.checkpoint import Description, load_description, load_network, save_network
from workloads.training.cost import cost_of


@dataclass(frozen=True)
class Model:
    """A network with everything that is known about it."""

    network: Network
    masks: Masks
    architecture: Architecture
    dataset: Dataset
    epochs: int = 0
    """Epochs of training over the whole ancestry."""
    training_flops: float = 0.0
    """Floating-point operations of these; what a pruning criterion computes is not counted."""

    @property
    def density(self) -> float:
        """Non-zeros over the prunable weights of its architecture, with those of channels that are gone."""
        left = sum(weight.numel() for weight in prunable(self.network).values())
        share = left / sum(weights_of_architecture(self.network).values())
        return density(self.masks, self.network) * share

    def publish(self, folder: Path) -> None:
        """Write it into ``folder``."""
        description = Description(
            data_of(self.architecture),
            data_of(self.dataset),
            self.network.shape,
            self.network.classes,
            self.epochs,
            self.training_flops,
        )
        save_network(folder, self.network, self.masks, description)

    def cost(self) -> dict[str, float]:
        """What it costs, as metrics: to have trained, to store and to run."""
        spent = {"epochs": float(self.epochs), "training_flops": self.training_flops}
        return spent | {"density": self.density} | cost_of(self.network, self.masks)

    def agree(self, architecture: Architecture | None, dataset: Dataset | None) -> None:
        """Check that what a stage names is what the network has.

        Raises:
            ValueError: it is not; says what is what.
        """
        for kind, given, own in (
            ("architecture", architecture, self.architecture),
            ("dataset", dataset, self.dataset),
        ):
            if given is not None and given != own:
                raise ValueError(
                    f"{kind} must be that of the network that is read, {data_of(own)}, or be left out; "
                    f"got {data_of(given)}"
                )


def read(folder: Path | list[Path], device: str = "cpu") -> Model:
    """The network in ``folder``, on ``device``."""
    if isinstance(folder, list):
        raise TypeError(f"one network is read here, got {len(folder)}")
    description = load_description(folder)
    architecture: Architecture = build(Architecture, description.architecture, "architecture")
    dataset: Dataset = build(Dataset, description.dataset, "dataset")
    network, masks = load_network(folder, architecture, description, device)
    return Model(network, masks, architecture, dataset, description.epochs, description.training_flops)


def check_one_or_many(stage: str, reads: Iterable[str]) -> None:
    """Refuse what is neither one network nor one ensemble.

    Raises:
        ValueError: the ``stage`` reads both of the roles ``model`` and ``models``, or none.
    """
    if len({"model", "models"} & set(reads)) != 1:
        raise ValueError(f"{stage} reads exactly one of model and models")


def members(space: Workspace) -> list[Model]:
    """The network under the role ``model``, or all of the ensemble under ``models``.

    Raises:
        ValueError: the members have learned different data sets.
    """
    found = space.inputs["models"] if "models" in space.inputs else space.inputs["model"]
    models = [read(folder, space.device) for folder in (found if isinstance(found, list) else [found])]
    for other in models[1:]:
        if other.dataset != models[0].dataset:
            raise ValueError(
                "the members of an ensemble must have one dataset, got "
                f"{models[0].dataset} and {other.dataset}"
            )
    return models


def check_outputs(models: Sequence[Model]) -> None:
    """Refuse members of an ensemble that answer different questions.

    Raises:
        ValueError: some have more outputs than others.
    """
    outputs = [model.network.head.out_features for model in models]
    if len({*outputs}) > 1:
        raise ValueError(
            f"the members of an ensemble viewed as all must have equally many outputs, got {outputs}"
        )


def fresh(architecture: Architecture, dataset: Dataset, data: LearningData, seed: int, stream: int) -> Model:
    """A dense network that has learned nothing; equal seeds and streams give equal weights in every stage."""
    network = architecture.network(data.shape, data.classes, derive(seed, "weights", stream))
    mean, std = statistics(data.train.images)
    network.mean.copy_(mean)
    network.std.copy_(std)
    return Model(network, {}, architecture, dataset)
