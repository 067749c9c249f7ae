"""Views of data sets, kept by the process: a bounded number of them."""

from __future__ import annotations

from functools import lru_cache

from workloads.datasets._conversion import digest_of
from workloads.datasets.base import Dataset, Shape, Split, SplitName


# Eight: the splits and out-of-distribution sets of one sweep's evaluation.
@lru_cache(maxsize=8)
def viewed(dataset: Dataset, split: SplitName, shape: Shape) -> tuple[Split, str]:
    """One split of ``dataset`` as a network with input ``shape`` sees it, and its fingerprint."""
    found = dataset.view(split, shape)
    return found, digest_of(found)
