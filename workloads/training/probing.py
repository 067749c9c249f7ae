"""What a detector that asks the network says of two sets of images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures._modes import evaluated
from workloads.architectures.base import Network
from workloads.datasets.base import Split
from workloads.network_detectors.base import NetworkDetector, Scorer, Seen
from workloads.randomness import stream
from workloads.training.evaluation import BATCH, forward


@dataclass(frozen=True)
class Probed:
    """What a detector found."""

    inside: Tensor
    """Scores (N / images of a score,), higher = more anomalous."""
    outside: Tensor
    right: Tensor
    """The share of the images of each score ``inside`` that are classified rightly."""
    doubts: list[str]
    """Sentences that must travel with the numbers."""


def probed(
    detector: NetworkDetector, network: Network, train: Split, inside: Split, outside: Split
) -> Probed:
    """The scores of both sides; images that are left over below a whole batch have none.

    Raises:
        ValueError: a side has not one whole batch, or a score is no finite number.
    """
    said: Counter[str] = Counter()
    count, device = detector.images_per_score, network.mean.device
    for side, split in (("inside", inside), ("outside", outside)):
        if len(split) < count:
            raise ValueError(f"a score takes {count} images, and there are {len(split)} {side}")
    with evaluated(network):
        seen = Seen(train.images, train.labels, device)
        score = detector.fit(network, seen, lambda sentence: said.update([sentence]))
        near, far = (
            _scores(score, count, Seen(side.images, side.labels, device)) for side in (inside, outside)
        )
    logits = forward(network, inside.images)[0][:, : network.classes]
    right = logits.argmax(1).cpu() == inside.labels
    whole = len(near) * count
    doubts = [sentence if times == 1 else f"{sentence} ({times} times)" for sentence, times in said.items()]
    return Probed(near, far, right[:whole].double().view(-1, count).mean(1), doubts)


def mixed(count: int, samples: int | None, seed: int) -> Tensor:
    """Positions of ``samples`` of ``count`` images (None: all) in an order of ``seed``.

    A batch of them shows several classes, where a split may lie sorted by class.
    """
    return torch.randperm(count, generator=stream(seed, "mixed for a detector"))[:samples]


def _scores(score: Scorer, count: int, seen: Seen) -> Tensor:
    """The scores of all whole groups of ``count`` images."""
    found = []
    for images, _ in seen.parts(max(1, BATCH // count) * count):
        whole = len(images) // count * count
        if whole:
            found.append(score(images[:whole]).double().cpu())
    scores = torch.cat(found)
    assert len(scores) == len(seen) // count
    if bad := int((~scores.isfinite()).sum()):
        raise ValueError(f"scores must be finite numbers, got others for {bad} of {len(scores)}")
    return scores
