"""One's own folder of images."""

from __future__ import annotations

import os
import subprocess

import pytest
from miniatures import photograph

from orchestrator.cli import main
from workloads.datasets.image_folder import ImageFolder

SWEEP = """
name: flowers
axes:
  dataset:
    - name: image_folder
      folder: flowers
      size: 8
  seed: [0]
methods:
  dense: {model: {stage: train, dataset: $dataset, seed: $seed, epochs: 12, batch_size: 10}}
defaults:
  train: {architecture: resnet8}
evaluate:
  clean: {stage: classify, reads: {model: model}}
"""
KINDS = ("iris", "rose", "tulip")


def fill(folder, count: int, seed: int, kinds=KINDS) -> None:
    """``count`` photographs of each kind."""
    for at, kind in enumerate(kinds):
        for n in range(count):
            photograph(folder / kind / f"{seed + n}.png", 1000 * seed + 100 * at + n)


@pytest.fixture
def flowers(empty_root):
    return empty_root / "flowers"


def rows(split) -> list[bytes]:
    return sorted(image.numpy().tobytes() for image in split.images)


def sizes(dataset) -> dict[str, list[int]]:
    return {
        split: dataset.load(split, None).labels.bincount(minlength=dataset.classes).tolist()
        for split in ("train", "validation", "test")
    }


def test_one_folder_is_split_by_seed_with_the_same_share_of_each_class(flowers):
    fill(flowers, 20, 0)
    dataset = ImageFolder("flowers", 8)
    assert dataset.classes == 3
    assert dataset.concepts == frozenset(KINDS)
    found = sizes(dataset)
    assert found["test"] == [4, 4, 4]  # a fifth of 20
    assert sorted(found["validation"]) == [1, 2, 2]  # together 5 of the 48 that are left, a tenth
    assert [sum(counts) for counts in zip(*found.values(), strict=True)] == [20, 20, 20]
    assert rows(dataset.load("test", None)) == rows(ImageFolder("flowers", 8).load("test", None))
    assert rows(dataset.load("test", None)) != rows(ImageFolder("flowers", 8, seed=1).load("test", None))
    halves = ImageFolder("flowers", 8, validation=0.5, test=0.5)
    assert {split: sum(counts) for split, counts in sizes(halves).items()} == {
        "train": 15,
        "validation": 15,
        "test": 30,
    }


def test_val_is_to_test_and_a_part_of_train_validates(flowers):
    fill(flowers / "train", 10, 1)
    fill(flowers / "val", 4, 2)
    dataset = ImageFolder("flowers", 8)
    assert sizes(dataset) == {"train": [9, 9, 9], "validation": [1, 1, 1], "test": [4, 4, 4]}


def test_three_folders_are_the_three_splits(flowers):
    for name, count in (("train", 5), ("val", 2), ("test", 3)):
        fill(flowers / name, count, count)
    dataset = ImageFolder("flowers", 8)
    assert sizes(dataset) == {"train": [5] * 3, "validation": [2] * 3, "test": [3] * 3}


def test_a_folder_to_train_needs_one_to_test(flowers):
    fill(flowers / "train", 5, 0)
    assert len(ImageFolder("flowers", 8).load("train", None)) == 13
    with pytest.raises(ValueError, match="beside train there must be val or test, with the same classes"):
        ImageFolder("flowers", 8).load("test", None)


def test_folders_with_other_classes_are_refused_with_their_names(flowers):
    fill(flowers / "train", 5, 0)
    fill(flowers / "val", 5, 0, kinds=("iris", "rose", "daisy"))
    with pytest.raises(ValueError, match=r"val must have the classes of .*train; only one has daisy, tulip"):
        ImageFolder("flowers", 8).load("test", None)


def test_a_class_without_images_is_named(flowers):
    fill(flowers, 5, 0)
    (flowers / "daisy").mkdir()
    with pytest.raises(RuntimeError, match="must have a folder of images for each class, but daisy has none"):
        ImageFolder("flowers", 8).load("test", None)


def test_a_folder_that_is_not_there_is_named_with_where_it_should_be(empty_root):
    with pytest.raises(
        RuntimeError, match=f"there is no folder 'flowers' in {empty_root}; put it there, or name"
    ):
        ImageFolder("flowers", 8).load("test", None)


@pytest.mark.parametrize("folder", ["", "/data/flowers", "../flowers"])
def test_a_path_is_refused_because_results_must_not_depend_on_it(folder):
    with pytest.raises(ValueError, match=r"folder must be a name below the data root"):
        ImageFolder(folder, 8)


@pytest.mark.parametrize("fields", [{"size": 0}, {"size": 8, "test": 0.0}, {"size": 8, "validation": 1.0}])
def test_sizes_and_shares_that_make_no_sense_are_refused(fields):
    with pytest.raises(ValueError, match="must be"):
        ImageFolder("flowers", **fields)


def test_the_digest_is_that_of_sha256sum_and_the_error_says_it(flowers):
    fill(flowers, 4, 0)
    (flowers / ".hidden").write_text("is not counted")
    (flowers / "notes on flowers.txt").write_text("are")
    shell = "find -L * -type f -not -path '*/.*' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    expected = subprocess.run(shell, shell=True, cwd=flowers, capture_output=True, text=True, check=True)
    digest = expected.stdout.split()[0]
    with pytest.raises(
        ValueError, match=f"sha256 must be {digest}, that of the files in {flowers}, got '\\?'"
    ):
        ImageFolder("flowers", 8, sha256="?").load("test", None)
    ImageFolder("flowers", 8, sha256=digest).load("test", None)
    photograph(flowers / "iris" / "0.png", 4242)
    with pytest.raises(ValueError, match=f"got '{digest}'"):
        ImageFolder("flowers", 8, sha256=digest).load("test", None)


def test_images_come_in_mixed_order(flowers):
    fill(flowers, 20, 0)
    labels = ImageFolder("flowers", 8).load("train", None).labels
    assert (labels[1:] < labels[:-1]).sum() > 5  # sorted: 0


def test_a_folder_trains_from_the_command_line_with_three_lines(flowers, tmp_path, monkeypatch, capsys):
    for at, kind in enumerate(KINDS):  # told apart by the number of the photograph's fields that are bright
        for n in range(20):
            photograph(flowers / kind / f"{n}.png", 7 + at)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSWEEP_DATA", "set by the option")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    assert main(["debug", "sweep.yaml", "--data", "data"]) == 0
    assert os.environ["SPARSWEEP_DATA"] == str(tmp_path / "data")
    assert "clean.test.accuracy 1.0\n" in capsys.readouterr().out
