"""The stage that has a detector ask the network, checked against plain computations."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from orchestrator.errors import SpecError
from orchestrator.spec import load
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.datasets.base import Split
from workloads.datasets.corrupted import Corrupted
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.datasets.out_of_range import OutOfRange
from workloads.datasets.textures import Textures
from workloads.network_detectors.base import NetworkDetector
from workloads.network_detectors.batch_msp import BatchMsp
from workloads.network_detectors.odin import Odin
from workloads.network_detectors.sensnorm import Sensnorm
from workloads.stages._anomalies import loaded
from workloads.stages._networks import read
from workloads.stages.probe import Probe
from workloads.training.evaluation import forward
from workloads.training.probing import mixed, probed

COUNTS = {"auroc", "aupr_in", "aupr_out", "fpr95", "ccr_1e-4", "ccr_1e-3", "ccr_1e-2", "ccr_1e-1"}


def test_probe_agrees_with_scikit_learn_on_batches_of_ten(runs, trained):
    _, metrics = runs(Probe(detector=BatchMsp(), dataset=Noise(count=105)), model=trained)
    network = read(trained).network
    sides = [given.view("test", network.shape) for given in (Digits(), Noise(count=105))]
    scores = []
    for side in sides:
        images = side.images[mixed(len(side), None, 0)]
        left = 1 - forward(network, images)[0].double().softmax(1).amax(1)
        scores.append(left[: len(left) // 10 * 10].view(-1, 10).mean(1))
    truth = torch.cat([torch.zeros(40), torch.ones(10)])
    assert metrics["auroc"] == pytest.approx(roc_auc_score(truth, torch.cat(scores)), abs=1e-6)
    assert (metrics["scores_inside"], metrics["scores_outside"]) == (40, 10)
    assert metrics.keys() == COUNTS | {"scores_inside", "scores_outside"}


def test_a_batch_shows_several_classes_and_another_seed_other_batches(runs, trained):
    order = mixed(400, None, 0)
    labels = Digits().load("test", None).labels
    assert min(len(part.unique()) for part in labels[order].view(-1, 10)) >= 4
    assert torch.equal(order.sort().values, torch.arange(400))
    assert torch.equal(mixed(400, 30, 0), order[:30])
    found = [
        runs(Probe(detector=BatchMsp(), dataset=Textures(count=60), samples=60, seed=seed), model=trained)[1]
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]


def test_right_answers_of_a_batch_count_as_a_share(runs, trained):
    network = read(trained).network
    seen, noise = (given.view("test", network.shape) for given in (Digits(), Noise(count=40)))
    found = probed(BatchMsp(), network, seen, seen, noise)
    right = forward(network, seen.images)[0].argmax(1) == seen.labels
    assert torch.equal(found.right, right.double().view(-1, 10).mean(1))
    assert 0 < found.right.min() < 1


@pytest.mark.parametrize("attack", [Fgsm(epsilon=0.2), Pgd(epsilon=0.2, steps=5)])
def test_attacked_images_of_the_own_set_are_an_anomaly(attack, runs, trained):
    space, metrics = runs(Probe(detector=Odin(), attack=attack, samples=100), model=trained)
    assert space.warnings == []
    assert metrics["scores_outside"] == 100
    assert metrics != runs(Probe(detector=Odin(), dataset=Textures(count=100)), model=trained)[1]


def test_every_image_is_attacked_within_the_ball(runs, trained):
    network = read(trained).network
    seen = Digits().view("test", network.shape)
    places = mixed(len(seen), 50, 3)
    attack = Fgsm(epsilon=0.1)
    found = loaded(Digits(), "test", network, runs.space(), attack=attack, places=lambda count: places)
    away = (found.images - seen.images[places] / 255).abs().flatten(1).amax(1)
    assert torch.equal(found.labels, seen.labels[places])
    assert away.min() > 0.05  # FGSM moves every pixel that is not at an end of the box
    assert away.max() <= 0.1 + 1e-6


def test_altered_images_of_the_own_set_are_an_anomaly(runs, trained):
    found = [
        runs(Probe(detector=Sensnorm(), dataset=altered), model=trained)
        for altered in (Corrupted(Digits(), "fog", severity=1), OutOfRange(Digits()))
    ]
    assert [space.warnings for space, _ in found] == [[], []]
    assert found[1][1]["auroc"] > 0.8


def test_an_overlap_that_was_allowed_travels_with_the_numbers(runs, trained):
    some = Probe(detector=Odin(), dataset=Digits(keep=(3, 4)), allow_overlap=("digits",))
    assert "digits both show 3, 4" in runs(some, model=trained)[0].warnings[0]


def test_a_loss_of_almost_nothing_is_a_warning_with_its_number(runs, trained, tmp_path):
    network = tmp_path / "silent"
    shutil.copytree(trained, network)
    tensors = load_file(network / "model.safetensors")
    tensors["head.weight"], tensors["head.bias"] = tensors["head.weight"] * 0, tensors["head.bias"] * 0
    save_file(tensors, network / "model.safetensors")
    space, metrics = runs(Probe(detector=Sensnorm(), dataset=Textures(count=20), samples=20), model=network)
    assert metrics["auroc"] == 0.5
    assert space.warnings == ["all scores are equal: the detector tells nothing apart"]


def test_what_a_detector_says_is_counted(trained):
    class Doubtful(NetworkDetector):
        def fit(self, network, train, say):
            def score(images):
                say("hm")
                return images.flatten(1).sum(1)

            return score

    network = read(trained).network
    seen, noise = (given.view("test", network.shape) for given in (Digits(), Noise(count=40)))
    assert probed(Doubtful(), network, seen, seen, noise).doubts == ["hm (2 times)"]


def test_scores_that_are_no_numbers_and_too_few_images_are_refused(trained):
    network = read(trained).network
    seen = Digits().view("test", network.shape)
    broken = Split(torch.full((20, *network.shape), torch.nan), torch.zeros(20, dtype=torch.int64))
    for detector, count in ((BatchMsp(), 2), (Sensnorm(), 2), (Odin(), 20)):
        with pytest.raises(
            ValueError, match=f"scores must be finite numbers, got others for {count} of {count}"
        ):
            probed(detector, network, seen, seen, broken)
    few = Split(seen.images[:9], seen.labels[:9])
    with pytest.raises(ValueError, match="a score takes 10 images, and there are 9 outside"):
        probed(BatchMsp(), network, seen, seen, few)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "a dataset to find, or an attack on the network's own"),
        ({"dataset": Noise(), "samples": 0}, "samples must be at least 1, got 0"),
        ({"dataset": Noise(), "attack": Fgsm()}, "an attack needs images with labels, and noise has none"),
        (
            {"dataset": OutOfRange(Digits()), "attack": Fgsm()},
            r"an attack needs pixels in \[0, 1\], and those of out_of_range.* are not",
        ),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Probe(detector=Odin(), **fields)


def test_an_attack_needs_labels_of_the_networks_classes(runs, trained):
    some = Probe(detector=Odin(), dataset=Digits(keep=(3, 4)), attack=Fgsm(), allow_overlap=("digits",))
    with pytest.raises(ValueError, match=r"labels of the network's 10 classes, but digits.* has 2"):
        runs(some, model=trained)


SWEEP = """
name: probes
axes: {seed: [0]}
methods:
  dense: {model: {stage: train, dataset: digits, architecture: mlp, epochs: 1, seed: $seed}}
evaluate:
  asked: {stage: probe, reads: {model: model}, FIELDS}
"""


def plan(tmp_path, fields: str):
    file = tmp_path / "probes.yaml"
    file.write_text(SWEEP.replace("FIELDS", fields if "each" in fields else f"detector: odin, {fields}"))
    return load(file).plan()


@pytest.mark.parametrize("fields", ["dataset: mnist", "dataset: digits", "dataset: noise, inside: noise"])
def test_a_plan_refuses_images_of_the_same_classes(tmp_path, fields):
    with pytest.raises(SpecError, match=r"evaluate\.asked: .*images from outside must be of no class inside"):
        plan(tmp_path, fields)


@pytest.mark.parametrize(
    "fields",
    [
        "dataset: noise",
        "attack: fgsm",
        "dataset: {name: corrupted, dataset: digits, corruption: fog}",
        "dataset: mnist, allow_overlap: [mnist]",
        "each: {dataset: [noise, {name: out_of_range, dataset: digits}], detector: [odin, sensnorm]}",
    ],
)
def test_a_plan_takes_other_and_altered_images(tmp_path, fields):
    assert len(plan(tmp_path, fields)) >= 2


def test_another_set_and_detector_add_their_own_stages_and_no_other(tmp_path):
    before = plan(tmp_path, "each: {dataset: [noise], detector: [odin]}")
    after = plan(tmp_path, "each: {dataset: [noise, textures], detector: [odin, sensnorm]}")
    assert set(before.addresses) < set(after.addresses)
    new = [stage for stage in range(len(after)) if after.job(stage).address not in set(before.addresses)]
    assert [after.node(stage) for stage in new] == ["dense.asked"] * 3
