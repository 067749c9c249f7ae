"""What is read from files in the official formats is what was written into them."""

from __future__ import annotations

import gzip
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from miniatures import FIELDS, WNIDS, idx, noise, pickled
from PIL import Image

from orchestrator.build import build
from workloads.datasets._cifar import read_batch
from workloads.datasets._idx import read_idx
from workloads.datasets._root import VARIABLE
from workloads.datasets.base import Dataset, Split
from workloads.datasets.cifar10 import Cifar10
from workloads.datasets.cifar10_c import Cifar10C
from workloads.datasets.cifar100_c import Cifar100C
from workloads.datasets.fashion_mnist import FashionMnist
from workloads.datasets.mnist import Mnist
from workloads.datasets.places365 import Places365
from workloads.datasets.svhn import Svhn
from workloads.datasets.textures_dtd import KINDS, TexturesDtd
from workloads.datasets.tiny_imagenet import TinyImagenet
from workloads.datasets.tiny_imagenet_c import TinyImagenetC

pytestmark = pytest.mark.usefixtures("with_miniatures")


def load(name: str, split: str) -> Split:
    return build(Dataset, {"name": name, **FIELDS[name]}).load(split, None)


def pairs(*splits: Split) -> set[tuple[int, bytes]]:
    """Labels and bytes of all images."""
    return {
        (label, image.numpy().tobytes())
        for split in splits
        for image, label in zip(split.images, split.labels.tolist(), strict=True)
    }


def decoded(path: Path, size: int) -> bytes:
    """The middle square of an image file, by Pillow's own words for it."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    side = min(width, height)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    small = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(small).transpose(2, 0, 1).tobytes()


@pytest.mark.parametrize(
    ("name", "seed"), [("mnist", 0), ("fashion_mnist", 100), ("kmnist", 200)], ids=lambda value: str(value)
)
def test_idx_files_packed_or_not(name, seed):
    train, test = noise(seed + 60, 60, 28, 28), noise(seed + 20, 20, 28, 28)
    expected = {(n % 10, image.tobytes()) for n, image in enumerate(train)}
    assert pairs(load(name, "train"), load(name, "validation")) == expected
    assert torch.equal(load(name, "test").images, torch.from_numpy(test)[:, None])
    assert load(name, "test").labels.tolist() == [*range(10)] * 2


def test_a_pixel_of_an_idx_file_is_where_its_place_says(tmp_path):
    idx(tmp_path / "file", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    assert read_idx(tmp_path / "file").tolist() == np.arange(24).reshape(2, 3, 4).tolist()


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-1], lambda raw: raw + b"x", lambda raw: b"\0\0\x0d" + raw[3:], lambda raw: b""],
    ids=["short", "long", "of floats", "empty"],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_damaged_idx_file_is_named(damage, ending, tmp_path):
    path = tmp_path / f"file{ending}"
    idx(tmp_path / "whole", np.zeros((2, 3), dtype=np.uint8))
    raw = damage((tmp_path / "whole").read_bytes())
    path.write_bytes(gzip.compress(raw) if ending else raw)
    with pytest.raises(RuntimeError, match=f"{path}: must be a whole idx file of bytes; delete it"):
        read_idx(path)


def test_a_download_of_an_idx_file_that_broke_off_is_named(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(bytes(1000))[:20])
    with pytest.raises(RuntimeError, match=f"{path}: must be an idx file packed with gzip"):
        read_idx(path)


def test_cifar_files_hold_red_green_and_blue_planes():
    batches = [noise(number, 20, 3072) for number in range(1, 6)]
    expected = {(n % 10, row.tobytes()) for batch in batches for n, row in enumerate(batch)}
    train, validation, test = (load("cifar10", split) for split in ("train", "validation", "test"))
    assert pairs(train, validation) == expected
    assert torch.equal(test.images, torch.from_numpy(noise(6, 20, 3072)).view(20, 3, 32, 32))
    assert test.labels.tolist() == [*range(10)] * 2


def test_cifar_100_has_its_fine_labels():
    assert load("cifar100", "test").labels.tolist() == list(range(100))
    assert torch.equal(
        load("cifar100", "test").images, torch.from_numpy(noise(8, 100, 3072)).view(100, 3, 32, 32)
    )


def test_a_pickle_of_today_is_read_as_one_of_python_2(tmp_path):
    content = {"data": noise(0, 2, 3072), "labels": [3, 1]}
    pickled(tmp_path / "old", content)
    assert b"numpy.core.multiarray" in (tmp_path / "old").read_bytes()
    (tmp_path / "new").write_bytes(pickle.dumps(content, protocol=2))
    (images, labels), (again, others) = (read_batch(tmp_path / name) for name in ("old", "new"))
    assert torch.equal(images, again)
    assert labels.tolist() == others.tolist() == [3, 1]


class Harm:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    file, victim = tmp_path / "data_batch_1", tmp_path / "victim"
    file.write_bytes(pickle.dumps({"data": Harm(victim), "labels": [0]}))
    with pytest.raises(RuntimeError, match=r"data_batch_1: must be a batch of CIFAR's .* but it names"):
        read_batch(file)
    assert not victim.exists()
    pickle.loads(file.read_bytes())  # the harm is real
    assert victim.exists()


@pytest.mark.parametrize(
    "content",
    [{"labels": [0]}, {"data": noise(0, 1, 3072)}, {"data": noise(0, 1, 3071), "labels": [0]}, [1, 2]],
    ids=["no images", "no labels", "a byte is missing", "a list"],
)
def test_a_pickle_of_something_else_is_named(content, tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps(content))
    with pytest.raises(
        RuntimeError, match=f"{tmp_path / 'batch'}: must be a batch of CIFAR's Python version"
    ):
        read_batch(tmp_path / "batch")


def test_a_label_is_needed_for_each_image(tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": noise(0, 3, 3072), "labels": [0, 1]}))
    with pytest.raises(RuntimeError, match="must have a label for each of 3 images, got 2"):
        read_batch(tmp_path / "batch")


def test_the_digit_that_svhn_calls_10_is_0():
    test = load("svhn", "test")
    written = noise(20, 32, 32, 3, 20)
    assert test.labels.tolist() == [(n % 10 + 1) % 10 for n in range(20)]
    assert torch.equal(test.images, torch.from_numpy(written.transpose(3, 2, 0, 1).copy()))


def test_a_damaged_matlab_file_is_named(empty_root):
    (empty_root / "test_32x32.mat").write_bytes(b"MATLAB" + bytes(200))
    with pytest.raises(RuntimeError, match=r"test_32x32\.mat: must be a Matlab file of SVHN with X and y"):
        Svhn().load("test", None)


def test_textures_are_those_of_the_lists_of_their_authors(with_miniatures):
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        files = (with_miniatures / f"dtd/dtd/labels/{name}1.txt").read_text().split()
        expected = {
            (KINDS.index(file.partition("/")[0]), decoded(with_miniatures / "dtd/dtd/images" / file, 8))
            for file in files
        }
        assert pairs(TexturesDtd(size=8).load(split, None)) == expected


def test_places_are_those_of_the_lists_of_their_authors(with_miniatures):
    train, validation, test = (load("places365", split) for split in ("train", "validation", "test"))
    lines = (with_miniatures / "places365_train_standard.txt").read_text().splitlines()
    expected = {
        (int(label), decoded(with_miniatures / f"data_256_standard{file}", 8))
        for file, label in map(str.split, lines)
    }
    assert pairs(train, validation) == expected
    assert validation.labels.bincount().tolist()[:1] == [2]  # a third of each kind
    assert sorted(test.labels.tolist()) == [0] * 3 + [364] * 3
    assert len(pairs(test)) == 6


def test_tiny_imagenet_is_tested_with_its_annotated_images(with_miniatures):
    folder = with_miniatures / "tiny-imagenet-200/val"
    expected = {
        (WNIDS.index(wnid), decoded(folder / "images" / file, 64))
        for file, wnid in (
            line.split()[:2] for line in (folder / "val_annotations.txt").read_text().splitlines()
        )
    }
    assert pairs(TinyImagenet(validation=4).load("test", None)) == expected
    train = TinyImagenet(validation=3)
    assert len(train.load("train", None)) == 15
    assert train.load("validation", None).labels.bincount().tolist() == [1, 1, 1]


def test_an_annotation_of_an_unknown_class_is_named(with_miniatures, tmp_path, monkeypatch):
    shutil.copytree(with_miniatures / "tiny-imagenet-200", tmp_path / "tiny-imagenet-200")
    shutil.rmtree(tmp_path / "tiny-imagenet-200/train" / WNIDS[1])
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(RuntimeError, match=rf"val_annotations\.txt: names classes .*: {WNIDS[1]}"):
        TinyImagenet().load("test", None)


def test_spoiled_images_come_from_the_part_of_their_severity():
    every = noise(9, 50, 32, 32, 3)
    for severity in range(1, 6):
        found = Cifar10C("fog", severity).load("test", None)
        expected = every[(severity - 1) * 10 : severity * 10].transpose(0, 3, 1, 2)
        assert np.array_equal(found.images.numpy(), expected)
        assert found.labels.tolist() == list(range(10))
    assert len(Cifar100C("fog").load("test", None)) == 100


def test_spoiled_tiny_images_come_from_the_folder_of_their_severity(with_miniatures):
    folder = with_miniatures / "Tiny-ImageNet-C/fog/2"
    expected = {(WNIDS.index(path.parent.name), decoded(path, 64)) for path in folder.rglob("*.JPEG")}
    found = TinyImagenetC("fog", 2).load("test", None)
    assert pairs(found) == expected
    assert len(found) == 6


@pytest.mark.parametrize("severity", [0, 6])
@pytest.mark.parametrize("kind", [Cifar10C, Cifar100C, TinyImagenetC])
def test_a_severity_is_one_of_five(kind, severity):
    with pytest.raises(ValueError, match=f"severity must be one of 1 to 5, got {severity}"):
        kind("fog", severity)


@pytest.mark.parametrize("kind", [Mnist, FashionMnist, Cifar10, Svhn, TinyImagenet, Places365])
def test_validation_cannot_take_all_images(kind):
    fields = {"size": 8} if kind in (TinyImagenet, Places365) else {}
    for count in (0, 1000):
        with pytest.raises(ValueError, match=f"must be between 0 and all .* training images, got {count}"):
            kind(validation=count, **fields).load("train", None)


def test_textures_of_many_sizes_need_one_to_be_learned_from():
    with pytest.raises(
        ValueError, match="textures_dtd has photographs of many sizes: to learn from them, give"
    ):
        TexturesDtd().learning()
    assert TexturesDtd().view("test", (1, 10, 8)).images.shape == (8, 1, 10, 8)


def test_photographs_without_a_size_are_resized_once_to_that_of_the_network(with_miniatures):
    files = (with_miniatures / "dtd/dtd/labels/test1.txt").read_text().split()
    expected = {decoded(with_miniatures / "dtd/dtd/images" / file, 7) for file in files}
    found = TexturesDtd().view("test", (3, 7, 7))
    assert {image.numpy().tobytes() for image in found.images} == expected
    assert found.digest  # mapped: nothing was converted


def test_a_set_of_one_size_is_seen_resized_with_antialiasing_in_the_channels_of_the_network():
    colour = load("cifar10", "test").images
    seen = Cifar10(validation=20).view("test", (1, 8, 8)).images
    luma = [Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L") for image in colour]
    expected = np.stack([np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR)) for image in luma])
    assert np.abs(seen[:, 0].numpy().astype(int) - expected).max() <= 2  # Pillow rounds twice
