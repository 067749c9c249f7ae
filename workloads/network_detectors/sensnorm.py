"""SensNorm: the distance of a batch's sensitivities from those of the training images.

Ayle, Charpentier, Rachwan, Zugner, Geisler and Gunnemann (2022): "On the Robustness and Anomaly Detection of
Sparse Neural Networks", arXiv 2207.04227. It is written after the first author's code, which does not use
the name; what is meant by the name is our reading. Not there, as that code trains them elsewhere: the five
learned (Augerino) augmentations beside the flips and turns.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.masks import keep_largest, prunable
from workloads.network_detectors._batched import Batched
from workloads.network_detectors.base import Say, Scorer, Seen

#: What the authors add to a loss before they divide by it.
TINY = 1e-8
#: A loss below this share of the training images' makes a sensitivity of almost nothing.
NEAR = 1e-3
#: Training images of one pass, for the sake of memory: sums over parts are sums over all.
PART = 250


@dataclass(frozen=True)
class Sensnorm(Batched):
    """Distrusts batches to whose loss the weights matter in another way than to that of the training images.

    The sensitivity of a weight is w * dL/dw / (L + 1e-8), with its sign. The training images have their
    labels, a batch the known classes that the network takes it for. The score is the mean over layers of the
    norm of the difference. Batch norm is in evaluation mode; biases and batch norm have no sensitivity.
    """

    p: float | Literal["inf"] = 5.0
    """The norm's order."""
    loss: Literal["nll", "cross_entropy"] = "nll"
    """As in the authors' code, minus the mean logit of the label, or the usual loss.

    The usual one finds far images badly, some worse than by chance: see docs/sweeps.md.
    """
    masked: float = 0.0
    """The share of all weights whose sensitivities, the smallest in size, are set to zero on both sides."""
    mask: Literal["shared", "own"] = "shared"
    """Which are the smallest: those of the training images, for both; or for each its own."""
    standardise: bool = False
    """Measure each difference in standard deviations of the sensitivity over batches of training images.

    The authors' code takes mean and deviation of running sums, and of the batch's side alone.
    """
    augmentations: bool = False
    """Add to every image of a batch both its flips and its three quarter turns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p != "inf" and not self.p >= 1:
            raise ValueError(f"p must be inf or at least 1, got {self.p}")
        if not 0 <= self.masked < 1:
            raise ValueError(f"masked must be in [0, 1), got {self.masked}")

    def fit(self, network: Network, train: Seen, say: Say) -> Scorer:
        own = copy.deepcopy(network).requires_grad_(False)
        weights = [weight.requires_grad_(True) for weight in prunable(own).values()]
        expected, usual = self._sensitivities(own, weights, train.parts(PART))
        chosen = self._mask(expected)
        deviations = self._deviations(own, weights, train) if self.standardise else None
        order = torch.inf if self.p == "inf" else self.p

        def distance(images: Tensor) -> Tensor:
            found, loss = self._sensitivities(own, weights, [(self._turned(images), None)])
            if abs(loss) < NEAR * abs(usual):
                say(
                    f"the loss of a batch is below {NEAR:g} of that of the training images: its "
                    "sensitivities, which are divided by it, say little"
                )
            theirs = chosen if self.mask == "shared" else self._mask(found)
            differences = [
                mask * one - other * given
                for mask, one, other, given in zip(chosen, expected, theirs, found, strict=True)
            ]
            if deviations:
                torch._foreach_div_(differences, deviations)
            norms = [torch.linalg.vector_norm(difference, order) for difference in differences]
            return torch.stack(norms).mean()

        def score(images: Tensor) -> Tensor:
            return torch.stack([distance(batch) for batch in torch.split(images, self.batch_size)])

        return score

    def _sensitivities(
        self,
        network: Network,
        weights: Sequence[Tensor],
        parts: Iterator[tuple[Tensor, Tensor]] | Sequence[tuple[Tensor, None]],
    ) -> tuple[list[Tensor], float]:
        """The sensitivity (float64) of the mean loss of all ``parts`` to each of ``weights``; and the loss.

        Images without labels have those the network gives them.
        """
        total, count = torch.zeros((), dtype=torch.float64, device=weights[0].device), 0
        slopes = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
        for images, given in parts:
            with torch.enable_grad():
                logits = network(images)
                labels = logits[:, : network.classes].argmax(1) if given is None else given
                loss = self._losses(logits, labels).sum()
            torch._foreach_add_(slopes, [part.double() for part in torch.autograd.grad(loss, weights)])
            total, count = total + loss.detach().double(), count + len(images)
        mean = total / count
        torch._foreach_mul_(slopes, [weight.detach().double() / count / (mean + TINY) for weight in weights])
        return slopes, float(mean)

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss (N,) of each image."""
        if self.loss == "nll":
            return -logits.gather(1, labels[:, None])[:, 0]
        return cross_entropy(logits, labels, reduction="none")

    def _mask(self, sensitivities: Sequence[Tensor]) -> list[Tensor]:
        """Which sensitivities count, in the shapes of the layers: the largest in size of all together."""
        if not self.masked:
            return [torch.ones_like(layer, dtype=torch.bool) for layer in sensitivities]
        sizes = torch.cat([layer.abs().flatten() for layer in sensitivities])
        kept = keep_largest(sizes, len(sizes) - round(self.masked * len(sizes)))
        parts = torch.split(kept, [layer.numel() for layer in sensitivities])
        return [part.view_as(layer) for part, layer in zip(parts, sensitivities, strict=True)]

    def _deviations(self, network: Network, weights: Sequence[Tensor], train: Seen) -> list[Tensor]:
        """The standard deviation of each sensitivity over whole batches of training images, plus 1e-8."""
        batches = len(train) // self.batch_size
        if batches < 2:  # noqa: PLR2004 - a spread takes two
            raise ValueError(
                f"standardise needs at least 2 batches of {self.batch_size} training images, got {len(train)}"
            )
        mean = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
        squares = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
        for number, part in enumerate(train.parts(self.batch_size), start=1):
            if number > batches:
                break
            found, _ = self._sensitivities(network, weights, iter([part]))
            away = torch._foreach_sub(found, mean)
            torch._foreach_add_(mean, away, alpha=1 / number)
            torch._foreach_addcmul_(squares, away, torch._foreach_sub(found, mean))
        return [(square / batches).sqrt() + TINY for square in squares]

    def _turned(self, images: Tensor) -> Tensor:
        """``images``, and with augmentations their flips and turns.

        Raises:
            ValueError: the images are no squares, which a quarter turn would make other shapes of.
        """
        if not self.augmentations:
            return images
        if images.shape[2] != images.shape[3]:
            raise ValueError(f"augmentations need images as high as wide, got {tuple(images.shape[2:])}")
        flips = [images.flip(3), images.flip(2)]
        turns = [images.rot90(quarter, (2, 3)) for quarter in (1, 2, 3)]
        return torch.cat([images, *flips, *turns])
