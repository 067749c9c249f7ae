"""What every data set promises, for every file that exists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from orchestrator.build import build, names
from workloads.datasets._conversion import digest_of
from workloads.datasets.base import Dataset

NAMES = names(Dataset)
SPLITS = ("train", "validation", "test")
DIGIT, COLOUR = (1, 8, 8), (3, 32, 32)
SHOW = """
from orchestrator.build import build, names
from workloads.datasets._conversion import digest_of
from workloads.datasets.base import Dataset
for name in names(Dataset):
    print(name, digest_of(build(Dataset, name).load("test", (1, 8, 8))))
"""


def splits(dataset: Dataset) -> tuple[str, ...]:
    return SPLITS if dataset.classes else SPLITS[1:]


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize("name", NAMES)
def test_images_are_bytes_with_a_label_each(name) -> None:
    dataset = build(Dataset, name)
    for split in splits(dataset):
        found = dataset.load(split, DIGIT)
        assert found.images.dtype == torch.uint8
        assert found.images.dim() == 4
        assert found.labels.dtype == torch.int64
        assert found.labels.shape == (len(found.images),)
        assert len(found) > 0
        assert found.labels.min() >= 0
        assert found.labels.max() < max(dataset.classes, 1)
        assert found.images.max() > 200
        assert found.images.min() < 50


@pytest.mark.parametrize("name", NAMES)
def test_no_image_is_in_two_splits(name) -> None:
    dataset = build(Dataset, name)
    loaded = [rows(dataset.load(split, DIGIT).images) for split in splits(dataset)]
    assert len(set.union(*loaded)) == sum(map(len, loaded))


@pytest.mark.parametrize("name", NAMES)
def test_loading_twice_gives_the_same_and_touches_no_global_stream(name) -> None:
    before = torch.random.get_rng_state()
    first, second = (build(Dataset, name).load("test", DIGIT) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(before, torch.random.get_rng_state())


def test_another_process_loads_the_same_bytes() -> None:
    env = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    shown = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, check=True)
    expected = [f"{name} {digest_of(build(Dataset, name).load('test', DIGIT))}" for name in NAMES]
    assert shown.stdout.splitlines() == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [DIGIT, COLOUR, (1, 28, 20)], ids=str)
def test_a_network_sees_images_of_its_own_shape(name, shape) -> None:
    dataset = build(Dataset, name)
    for split in splits(dataset):
        found = dataset.view(split, shape)
        assert found.images.shape[1:] == shape
        assert found.images.dtype == torch.uint8
        assert len(found.images) == len(found.labels)


@pytest.mark.parametrize("name", [name for name in NAMES if build(Dataset, name).classes])
def test_a_learner_sees_every_class_and_no_test_split(name) -> None:
    dataset = build(Dataset, name)
    data = dataset.learning()
    assert data.classes == dataset.classes
    assert data.shape == data.train.images.shape[1:]
    for split in (data.train, data.validation, dataset.load("test", None)):
        assert (torch.bincount(split.labels, minlength=data.classes) > 0).all()
    assert not hasattr(data, "test")
    assert data.fingerprint == digest_of(data.train, data.validation)


@pytest.mark.parametrize("name", [name for name in NAMES if not build(Dataset, name).classes])
def test_a_set_without_labels_refuses_to_be_trained_on(name) -> None:
    with pytest.raises(ValueError, match="for out-of-distribution tests: validation or test, not train"):
        build(Dataset, name).learning()
