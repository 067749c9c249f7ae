from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits

from workloads.datasets._conversion import digest_of
from workloads.datasets.digits import Digits


def test_splits_have_the_promised_sizes_and_are_balanced() -> None:
    digits = Digits()
    sizes = {split: len(digits.load(split, None)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 1197, "validation": 200, "test": 400}
    assert digits.load("test", None).labels.bincount().tolist() == [40] * 10
    assert digits.load("validation", None).labels.bincount().tolist() == [20] * 10


def test_the_three_splits_together_are_scikit_learns_images_with_their_labels() -> None:
    raw = load_digits()
    expected = sorted(
        (int(label), (image * 255 / 16).round().astype("uint8").tobytes())
        for image, label in zip(raw.images, raw.target, strict=True)
    )
    found = []
    for split in ("train", "validation", "test"):
        loaded = Digits().load(split, None)
        found += [
            (label, image.numpy().tobytes())
            for image, label in zip(loaded.images, loaded.labels.tolist(), strict=True)
        ]
    assert sorted(found) == expected


def test_the_splits_never_change() -> None:
    loaded = [Digits().load(split, None) for split in ("train", "validation", "test")]
    assert digest_of(*loaded) == "3bb1b639eeb417f6f291b0efce22439198b0d5b0ab7ba073b0a9b24e9beb5ef5"


def test_images_of_a_split_come_in_mixed_order() -> None:
    labels = Digits().load("train", None).labels
    assert (labels[1:] < labels[:-1]).sum() > 400  # sorted: 0; mixed: 45 % of 1,196


def test_kept_classes_are_renumbered_in_the_given_order() -> None:
    every, kept = Digits().load("test", None), Digits(keep=(9, 4)).load("test", None)
    nines, fours = every.images[every.labels == 9], every.images[every.labels == 4]
    assert Digits(keep=(9, 4)).classes == 2
    assert torch.equal(kept.images[kept.labels == 0], nines)
    assert torch.equal(kept.images[kept.labels == 1], fours)
    assert len(kept) == 80


def test_held_out_classes_are_the_rest() -> None:
    known, unknown = (Digits(keep=keep).load("test", None) for keep in (tuple(range(8)), (8, 9)))
    assert len(known) + len(unknown) == 400


@pytest.mark.parametrize("keep", [(1, 1), (10,), (-1, 2)])
def test_classes_that_do_not_exist_or_stand_twice_are_refused(keep) -> None:
    with pytest.raises(ValueError, match=r"keep must be different classes of 0 to 9, got \["):
        Digits(keep=keep)


def test_the_images_are_read_once_per_process() -> None:
    assert Digits().load("train", None).images is Digits().load("train", None).images
