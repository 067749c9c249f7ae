"""Data sets as stages load them: each piece once per process, its fingerprint noted for the manifest."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from orchestrator.build import data_of
from orchestrator.identity import default_of, name_of, to_json
from orchestrator.stage import Workspace
from workloads.datasets._viewed import viewed
from workloads.datasets.base import Dataset, LearningData, Shape, Split, SplitName


def learning(dataset: Dataset, space: Workspace) -> LearningData:
    """What a stage that learns may see of ``dataset``."""
    data = _learning(dataset)
    space.fingerprints[f"{label(dataset)} train+validation"] = data.fingerprint
    return data


def view(dataset: Dataset, split: SplitName, shape: Shape, space: Workspace) -> Split:
    """One split of ``dataset`` as a network with input ``shape`` sees it."""
    found, digest = viewed(dataset, split, shape)
    space.fingerprints[f"{label(dataset)} {split} {'x'.join(map(str, shape))}"] = digest
    return found


def label(dataset: Dataset) -> str:
    """``dataset`` in words: its name, and the fields that are not at their default."""
    given = {
        field.name: data_of(getattr(dataset, field.name))
        for field in dataclasses.fields(dataset)
        if getattr(dataset, field.name) != default_of(field)
    }
    return name_of(dataset) + (to_json(given) if given else "")


@lru_cache(maxsize=2)
def _learning(dataset: Dataset) -> LearningData:
    return dataset.learning()


def dataset_of(given: Dataset | None, own: Dataset | None) -> Dataset:
    """``given``, or the network's ``own`` where a stage names none."""
    found = own if given is None else given
    if found is None:
        raise ValueError("a stage that reads no network needs a dataset")
    return found
