"""The spoiled test images that the authors of the benchmark publish, by the set that they are made of."""

from __future__ import annotations

from workloads.datasets._corruptions import Corruption
from workloads.datasets.base import Dataset
from workloads.datasets.cifar10 import Cifar10
from workloads.datasets.cifar10_c import Cifar10C
from workloads.datasets.cifar100 import Cifar100
from workloads.datasets.cifar100_c import Cifar100C
from workloads.datasets.tiny_imagenet import TinyImagenet
from workloads.datasets.tiny_imagenet_c import TinyImagenetC


def official(dataset: Dataset, corruption: Corruption, severity: int) -> Dataset:
    """The published test images of ``dataset`` with ``corruption``.

    Raises:
        ValueError: there are none of this set.
    """
    if isinstance(dataset, Cifar10):
        return Cifar10C(corruption, severity)
    if isinstance(dataset, Cifar100):
        return Cifar100C(corruption, severity)
    if isinstance(dataset, TinyImagenet):
        return TinyImagenetC(corruption, severity, dataset.size)
    raise ValueError(
        "there are official corruptions of cifar10, cifar100 and tiny_imagenet, "
        f"got {dataset}; source: generated takes any data set"
    )
