"""Up to which distance no perturbation can change what a network answers, by randomized smoothing.

Cohen, Rosenfeld and Kolter (2019): "Certified Adversarial Robustness via Randomized Smoothing",
arXiv 1902.02918.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from orchestrator.stage import Role, Workspace
from workloads.architectures._modes import evaluated
from workloads.architectures.base import Network
from workloads.attacks._units import in_pixel_range
from workloads.datasets.base import Dataset, Split, SplitName
from workloads.metrics.certificates import (
    certified_accuracy,
    certified_radii,
    largest_radius,
    mean_radius,
)
from workloads.stages._data import dataset_of, view
from workloads.stages._networks import Model, read
from workloads.stages.base import TorchStage
from workloads.training.evaluation import drawn, forward
from workloads.training.smoothing import answers

CERTIFICATES = "certificates.safetensors"


@dataclass(frozen=True)
class Certify(TorchStage):
    """Certifies l2 balls around images of one split in which the smoothed network under ``model`` is right.

    The smoothed network answers what the network says most often when the image has Gaussian noise. Its
    certified accuracy at a radius is a lower bound for any attack within it. A network that was trained
    without such noise is seldom right under it.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE}

    sigma: float = 0.25
    """Deviation of the noise, in units of the pixel range [0, 1]."""
    n0: int = 100
    """Draws that choose the answer to certify."""
    n: int = 10_000
    """Draws that certify it; they bound the largest radius. The paper takes 100,000."""
    alpha: float = 0.001
    """The probability that a certificate is wrong, for each image."""
    radii: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """The l2 distances, in units of the pixel range, at which accuracy is reported."""
    dataset: Dataset | None = None
    """None: that of the network."""
    split: SplitName = "test"
    samples: int | None = 500
    """Images that are certified, a fixed draw of the split (the one that attacks take); None: all."""
    seed: int = 0
    """Seeds the noise."""

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be positive, got {self.sigma}")
        in_pixel_range("sigma", self.sigma)
        for name in ("n0", "n"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.alpha < 1 / 2:
            raise ValueError(f"alpha must be in (0, 0.5), got {self.alpha}")
        if min(self.radii, default=0.0) < 0 or len({*self.radii}) < len(self.radii):
            raise ValueError(f"radii must be different and not negative, got {list(self.radii)}")
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        seen = view(dataset_of(self.dataset, model.dataset), self.split, model.network.shape, space)
        places = drawn(len(seen), self.samples)
        started = time.perf_counter()
        chosen, hits = self._votes(model.network, seen, places, space)
        space.measured["seconds_per_image"] = (time.perf_counter() - started) / len(places)
        radii = certified_radii(hits, self.n, self.sigma, self.alpha)
        labels = seen.labels[places]
        certificates = {"places": places, "labels": labels, "answers": chosen, "votes": hits, "radii": radii}
        save_file(certificates, space.output / CERTIFICATES)
        self._warn(space)
        right = chosen == labels
        clean = forward(model.network, seen.images[places])[0][:, : model.network.classes].argmax(1).cpu()
        return {
            **{f"{self.split}.certified_{at:g}": certified_accuracy(radii, right, at) for at in self.radii},
            f"{self.split}.mean_radius": mean_radius(radii, right),
            f"{self.split}.abstained": float(radii.isnan().double().mean()),
            f"{self.split}.clean_accuracy": float((clean == labels).double().mean()),
            **self._cost(model, len(places)),
        }

    def _votes(
        self, network: Network, seen: Split, places: Tensor, space: Workspace
    ) -> tuple[Tensor, Tensor]:
        """The class (N,) that most of the first draws name, and how many (N,) of the others do."""
        chosen, hits = [], []
        with evaluated(network):
            for done, place in enumerate(torch.split(places, 1), start=1):
                named = self._answers(network, seen, place)
                answer = named[: self.n0].bincount(minlength=network.classes).argmax()
                chosen.append(answer)
                hits.append((named[self.n0 :] == answer).sum())
                space.progress(done, len(places))
        return torch.stack(chosen).cpu(), torch.stack(hits).cpu()

    def _answers(self, network: Network, seen: Split, place: Tensor) -> Tensor:
        """All answers (n0 + n,) about one image."""
        draws = self.n0 + self.n
        return answers(network, seen.images[place], place, draws, sigma=self.sigma, seed=self.seed)

    def _cost(self, model: Model, images: int) -> dict[str, float]:
        """What the certificates cost, with the zeros of a sparse network skipped, as metrics."""
        passes = float(images * (self.n0 + self.n))
        flops = model.cost()["inference_flops"]
        return {"forward_passes": passes, "flops": passes * flops, "density": model.density}

    def _warn(self, space: Workspace) -> None:
        """Say at which radii the accuracy is 0 for want of draws."""
        most = largest_radius(self.n, self.sigma, self.alpha)
        beyond = [f"{radius:g}" for radius in self.radii if radius > most]
        if beyond:
            space.warnings.append(
                f"no network can be certified at {', '.join(beyond)}: with {self.n} draws, sigma "
                f"{self.sigma:g} and alpha {self.alpha:g} the largest radius is {most:.3g}"
            )
