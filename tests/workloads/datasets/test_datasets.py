"""What every data set promises, for every file that exists; those that are downloaded in miniature."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from miniatures import FIELDS

from orchestrator.build import build, find, names
from workloads.datasets._conversion import digest_of
from workloads.datasets._root import VARIABLE
from workloads.datasets.base import Dataset, Split

pytestmark = pytest.mark.usefixtures("with_miniatures")

NAMES = names(Dataset)


def made(name: str) -> Dataset:
    return build(Dataset, {"name": name, **FIELDS.get(name, {})})


SPLITS = ("train", "validation", "test")
SPOILED = ("cifar100_c", "cifar10_c", "tiny_imagenet_c")
UNLABELLED = ("isun", "lsun", "noise", "out_of_range", "textures")
LEARNED = [name for name in NAMES if name not in (*SPOILED, *UNLABELLED)]
BYTES = [name for name in NAMES if made(name).boxed]
#: Their miniatures have a few of their classes only.
PARTIAL = ("places365", "textures_dtd", "tiny_imagenet")
DIGIT, COLOUR = (1, 8, 8), (3, 32, 32)
SHOW = """
import json, sys
from orchestrator.build import build
from workloads.datasets._conversion import digest_of
from workloads.datasets.base import Dataset, Split
for name, fields in json.loads(sys.argv[1]).items():
    print(name, digest_of(build(Dataset, {"name": name, **fields}).load("test", (1, 8, 8))))
"""


def splits(name: str) -> tuple[str, ...]:
    return {**dict.fromkeys(SPOILED, SPLITS[2:]), **dict.fromkeys(UNLABELLED, SPLITS[1:])}.get(name, SPLITS)


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize("name", BYTES)
def test_images_are_bytes_with_a_label_each(name) -> None:
    dataset = made(name)
    for split in splits(name):
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
    loaded = [rows(made(name).load(split, DIGIT).images) for split in splits(name)]
    assert len(set.union(*loaded)) == sum(map(len, loaded))


@pytest.mark.parametrize("name", NAMES)
def test_loading_twice_gives_the_same_and_touches_no_global_stream(name) -> None:
    before = torch.random.get_rng_state()
    first, second = (made(name).load("test", DIGIT) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(before, torch.random.get_rng_state())


def test_another_process_loads_the_same_bytes_from_a_copy(with_miniatures, tmp_path) -> None:
    fields = {name: FIELDS.get(name, {}) for name in NAMES}
    shutil.copytree(with_miniatures, tmp_path / "copy", ignore=shutil.ignore_patterns("made"))
    env = {
        **os.environ,
        "PYTHONHASHSEED": "12345",
        "OMP_NUM_THREADS": "1",
        VARIABLE: str(tmp_path / "copy"),
    }
    command = [sys.executable, "-c", SHOW, json.dumps(fields)]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    expected = [f"{name} {digest_of(made(name).load('test', DIGIT))}" for name in NAMES]
    assert shown.stdout.splitlines() == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [DIGIT, COLOUR, (1, 28, 20)], ids=str)
def test_a_network_sees_images_of_its_own_shape(name, shape) -> None:
    for split in splits(name):
        found = made(name).view(split, shape)
        assert found.images.shape[1:] == shape
        assert found.images.dtype == (torch.uint8 if name in BYTES else torch.float32)
        assert len(found.images) == len(found.labels)


@pytest.mark.parametrize("name", LEARNED)
def test_a_learner_sees_every_class_and_no_test_split(name) -> None:
    dataset = made(name)
    data = dataset.learning()
    assert data.classes == dataset.classes
    assert data.shape == data.train.images.shape[1:]
    seen = [split.labels.unique() for split in (data.train, data.validation, dataset.load("test", None))]
    assert all(torch.equal(seen[0], other) for other in seen[1:])
    assert name in PARTIAL or seen[0].tolist() == list(range(dataset.classes))
    assert not hasattr(data, "test")
    assert data.fingerprint == digest_of(data.train, data.validation)


@pytest.mark.parametrize("name", UNLABELLED)
def test_a_set_without_labels_refuses_to_be_trained_on(name) -> None:
    assert made(name).classes == 0
    with pytest.raises(ValueError, match="for out-of-distribution tests: validation or test, not train"):
        made(name).learning()


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_images_refuse_to_be_trained_on(name) -> None:
    with pytest.raises(ValueError, match=f"{name} has spoiled test images alone: test, not train"):
        made(name).learning()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_set_shows_is_known_before_its_files_are_there(name, empty_root) -> None:
    concepts = made(name).concepts
    assert all(concept and concept == concept.strip() for concept in concepts)
    assert not any(empty_root.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_is_found_by_the_name_of_its_file(name) -> None:
    assert type(made(name)) is find(Dataset, name)


def test_images_that_are_no_pixels_reach_no_stage() -> None:
    class Features(Dataset):
        classes = 2

        def load(self, split, shape):
            return Split(torch.rand(4, 1, 2, 2), torch.arange(4) % 2)

    rule = r"images must be pixels from 0 to 255 \(uint8\) here, got torch.float32"
    with pytest.raises(ValueError, match=rule):
        Features().learning()
    with pytest.raises(ValueError, match=rule):
        Features().view("test", (1, 2, 2))
