"""No set is an out-of-distribution test of a network that learned its classes; a plan says so."""

from __future__ import annotations

import pytest

from orchestrator.errors import SpecError
from orchestrator.spec import load
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.detectors.msp import Msp
from workloads.stages._overlap import shared
from workloads.stages.detect import Detect
from workloads.stages.features import Features

SWEEP = """
name: overlap
axes: {seed: [0]}
methods:
  pruned:
    base:  {stage: train, dataset: INSIDE, architecture: mlp, epochs: 1, seed: $seed}
    model: {stage: prune, reads: {model: base}, criterion: magnitude, sparsity: 0.5}
evaluate:
  own:     {stage: features, reads: {model: model}}
  others:  {stage: features, reads: {model: model}, dataset: OUTSIDE}
  ood:     {stage: detect, reads: {train: own, inside: own, outside: others}, detector: msp}
"""


def plan(tmp_path, inside: str, outside: str, allowed: str = "") -> None:
    text = SWEEP.replace("INSIDE", inside).replace("OUTSIDE", outside)
    file = tmp_path / "overlap.yaml"
    file.write_text(text.replace("detector: msp", f"detector: msp{allowed}"))
    load(file).plan()


@pytest.mark.parametrize(
    ("inside", "outside", "common"),
    [
        ("cifar10", "tiny_imagenet", "automobile, bird, cat, dog, frog, ship, truck"),
        ("tiny_imagenet", "cifar10", "automobile, bird, cat, dog, frog, ship, truck"),
        ("{name: corrupted, dataset: digits, corruption: fog}", "digits", "0, 1, 2, 3"),
        ("mnist", "svhn", "0, 1, 2, 3"),
        ("digits", "mnist", "0, 1, 2, 3"),
        ("{name: digits, keep: [0, 1]}", "{name: digits, keep: [1, 2]}", "1"),
        ("cifar100", "places365", "bridge, castle, forest, house, mountain, road, sea, skyscraper"),
        ("cifar100", "lsun", "bridge"),
    ],
)
def test_sets_with_common_classes_are_refused_with_their_names(tmp_path, inside, outside, common):
    with pytest.raises(SpecError, match=rf"evaluate\.ood: .* both show {common}") as refused:
        plan(tmp_path, inside, outside)
    name = outside.strip("{").removeprefix("name: ").partition(",")[0]
    assert f"or say `allow_overlap: [{name}]`" in str(refused.value)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("cifar100", "cifar10"),
        ("cifar10", "cifar100"),
        ("cifar10", "svhn"),
        ("cifar10", "textures_dtd"),
        ("cifar10", "places365"),
        ("mnist", "fashion_mnist"),
        ("fashion_mnist", "kmnist"),
        ("digits", "noise"),
        ("cifar10", "{name: cifar10_c, corruption: fog}"),
        ("cifar10", "{name: cifar100_c, corruption: fog, severity: 1}"),
        ("tiny_imagenet", "{name: tiny_imagenet_c, corruption: fog}"),
        ("digits", "{name: corrupted, dataset: digits, corruption: fog}"),
        ("digits", "{name: out_of_range, dataset: digits}"),
        ("glyphs", "{name: glyphs, faces: unseen}"),
        ("{name: digits, keep: [0, 1]}", "{name: digits, keep: [2, 3]}"),
    ],
)
def test_sets_without_common_classes_or_with_altered_images_are_fine(tmp_path, inside, outside):
    plan(tmp_path, inside, outside)


def test_equally_altered_images_are_told_apart_by_their_classes(tmp_path):
    foggy = "{name: corrupted, dataset: digits, corruption: fog}"
    with pytest.raises(SpecError, match=r"make them an anomaly \(attacked, corrupted, out_of_range\)"):
        plan(tmp_path, foggy, foggy.replace("digits", "{name: digits, keep: [0, 1]}"))
    plan(tmp_path, foggy, foggy.replace("digits", "{name: digits, keep: [0, 1]}").replace("fog", "snow"))


def test_attacked_images_of_the_same_classes_are_fine(tmp_path):
    plan(tmp_path, "digits", "digits, attack: fgsm")
    plan(tmp_path, "digits", "mnist, attack: {name: pgd, epsilon: 0.1}")


def test_a_set_is_not_outside_of_itself(tmp_path):
    with pytest.raises(SpecError, match=r"but digits is the in-distribution set itself; take another set"):
        plan(tmp_path, "digits", "digits")


def test_a_set_that_is_named_may_overlap_and_no_other(tmp_path):
    plan(tmp_path, "cifar10", "tiny_imagenet", ", allow_overlap: [tiny_imagenet]")
    with pytest.raises(SpecError, match=r"allow_overlap: \[tiny_imagenet\]"):
        plan(tmp_path, "cifar10", "tiny_imagenet", ", allow_overlap: [svhn]")


def test_an_overlap_that_was_allowed_travels_with_the_numbers(runs, trained):
    own = runs.output(Features(), model=trained)
    some = runs.output(Features(dataset=Digits(keep=(3, 4))), model=trained)
    detect = Detect(detector=Msp(), allow_overlap=("digits",))
    space, _ = runs(detect, train=own, inside=own, outside=some)
    (warning,) = space.warnings
    assert (
        warning
        == 'digits{"keep":[3,4]} and digits both show 3, 4: what is said to be outside is partly inside'
    )


def test_no_warning_where_nothing_overlaps(runs, trained):
    own = runs.output(Features(), model=trained)
    noise = runs.output(Features(dataset=Noise()), model=trained)
    space, _ = runs(Detect(detector=Msp(), allow_overlap=("noise",)), train=own, inside=own, outside=noise)
    assert space.warnings == []


def test_what_sets_share_is_said_in_words():
    assert shared(Digits(keep=(0, 1)), Digits(keep=(1, 2))).endswith("both show 1")
    assert shared(Digits(), Noise()) == ""
