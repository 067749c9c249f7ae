"""The stages that measure a network, checked against plain computations on what they store."""

from __future__ import annotations

import json
import math
import shutil
from statistics import fmean

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score
from torch.nn.functional import one_hot

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.datasets.textures import Textures
from workloads.detectors.msp import Msp
from workloads.pruning.magnitude import Magnitude
from workloads.stages.attack import Attack
from workloads.stages.classify import Classify
from workloads.stages.detect import Detect
from workloads.stages.features import Features
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune


def probabilities(folder):
    stored = load_file(folder / "outputs.safetensors")
    return stored["logits"].double().softmax(1), stored["labels"]


def expected(p, labels, split):
    confidence, answers = p.max(1)
    right = (answers == labels).double()
    error = 0.0
    for low in range(15):
        inside = (confidence >= low / 15) & ((confidence < (low + 1) / 15) | (low == 14))
        if inside.any():
            error += float((confidence[inside].mean() - right[inside].mean()).abs() * inside.double().mean())
    return {
        f"{split}.accuracy": float(right.mean()),
        f"{split}.nll": float(-p[torch.arange(len(labels)), labels].log().mean()),
        f"{split}.brier": float((p - one_hot(labels, p.shape[1])).square().sum(1).mean()),
        f"{split}.ece": error,
    }


@pytest.mark.parametrize("split", ["validation", "test"])
def test_classify_agrees_with_plain_formulas_on_the_stored_outputs(split, runs, trained):
    _, metrics = runs(Classify(split=split), model=trained)
    p, labels = probabilities(runs.output(Features(split=split), model=trained))
    assert len(labels) == {"validation": 200, "test": 400}[split]
    assert metrics == pytest.approx(expected(p, labels, split) | {"density": 1})


def test_an_ensemble_is_the_mean_of_the_members_probabilities(runs, trained):
    other = runs.output(runs.small(seed=1))
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=trained)
    members = [trained, other, sparse]
    _, metrics = runs(Classify(), models=members)
    stored = [probabilities(runs.output(Features(), model=member)) for member in members]
    mean = torch.stack([p for p, _ in stored]).mean(0)
    assert metrics == pytest.approx(expected(mean, stored[0][1], "test") | {"density": fmean([1, 1, 0.5])})


def test_an_ensemble_of_one_is_that_network(runs, trained):
    assert runs(Classify(), models=[trained])[1] == pytest.approx(runs(Classify(), model=trained)[1])


def test_members_of_an_ensemble_must_have_learned_the_same_data(runs, trained):
    other = runs.output(Initialise(architecture=Mlp(), dataset=Digits(keep=(0, 1)), seed=0))
    with pytest.raises(ValueError, match="members of an ensemble must have one dataset"):
        runs(Classify(), models=[trained, other])


def test_an_answer_unknown_is_an_error_only_where_all_outputs_are_viewed(runs):
    folder = runs.output(runs.small(architecture=Mlp(hidden=(30,), unknown_outputs=1)))
    unsure = runs.root / "unsure"
    shutil.copytree(folder, unsure)
    tensors = load_file(unsure / "model.safetensors")
    tensors["head.bias"][10] = 8.0  # far likelier than it learned to be
    save_file(tensors, unsure / "model.safetensors")
    known, every = (runs(Classify(view=view), model=unsure)[1] for view in ("known", "all"))
    p, labels = probabilities(runs.output(Features(), model=unsure))
    for metrics, view in ((known, p[:, :10]), (every, p)):
        found = {name: value for name, value in metrics.items() if name != "density"}
        assert found == pytest.approx(expected(view, labels, "test"))
    assert every["test.accuracy"] < known["test.accuracy"]
    assert every["test.nll"] == known["test.nll"]
    with pytest.raises(ValueError, match=r"equally many outputs, got \[11, 10\]"):
        runs(Classify(view="all"), models=[folder, runs.output(runs.small())])


@pytest.mark.parametrize("reads", [[], ["model", "models"]])
def test_classify_reads_exactly_one_of_model_and_models(reads):
    with pytest.raises(ValueError, match="exactly one of model and models"):
        Classify().check(reads)
    Classify().check(["models"])


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1"):
        Classify(bins=0)


def test_stored_features_and_head_give_the_stored_logits(runs, trained):
    folder = runs.output(Features(split="train"), model=trained)
    stored = load_file(folder / "outputs.safetensors")
    logits = stored["features"] @ stored["head.weight"].T + stored["head.bias"]
    assert torch.allclose(logits, stored["logits"], atol=1e-5)
    assert stored["features"].shape == (1197, 30)
    assert json.loads((folder / "outputs.json").read_text()) == {
        "classes": 10,
        "dataset": {"keep": [], "name": "digits"},
        "split": "train",
    }


def test_images_from_elsewhere_are_seen_at_the_networks_shape(runs, trained):
    for dataset in (Textures(count=20), Noise(count=20)):
        space, metrics = runs(Features(dataset=dataset), model=trained)
        assert load_file(space.output / "outputs.safetensors")["logits"].shape == (20, 10)
        assert metrics == {"images": 20}
        assert list(space.fingerprints) == [f'{type(dataset).__name__.lower()}{{"count":20}} test 1x8x8']


def test_attacked_images_of_the_own_set_are_seen_and_detected(runs, trained):
    attack = Pgd(epsilon=0.2, steps=5)
    attacked, metrics = runs(Features(attack=attack), model=trained)
    p, labels = probabilities(attacked.output)
    assert metrics == {"images": 400, "accuracy": float((p.argmax(1) == labels).double().mean())}
    assert metrics["accuracy"] < 0.2
    assert json.loads((attacked.output / "outputs.json").read_text())["attack"]["name"] == "pgd"
    fit, inside = (runs.output(Features(split=split), model=trained) for split in ("train", "test"))
    space, found = runs(Detect(detector=Msp()), train=fit, inside=inside, outside=attacked.output)
    assert space.warnings == []
    assert found["auroc"] != 0.5


def test_another_seed_gives_an_attack_other_starts_and_without_room_it_changes_nothing(runs, trained):
    plain, *others = (
        load_file(runs.output(stage, model=trained) / "outputs.safetensors")["logits"]
        for stage in (
            Features(),
            Features(attack=Pgd(epsilon=0)),
            Features(attack=Pgd(epsilon=0.1, steps=1)),
            Features(attack=Pgd(epsilon=0.1, steps=1), seed=1),
        )
    )
    assert torch.allclose(plain, others[0], atol=1e-6)
    assert not torch.equal(others[1], others[2])


def test_what_cannot_be_attacked_is_refused(runs, trained):
    with pytest.raises(ValueError, match="an attack needs images with labels, and noise has none"):
        Features(dataset=Noise(), attack=Fgsm())
    with pytest.raises(ValueError, match=r"labels of the network's 10 classes, but digits.* has 2"):
        runs(Features(dataset=Digits(keep=(0, 1)), attack=Fgsm()), model=trained)


def test_detect_agrees_with_scikit_learn(runs, trained):
    fit, inside = (runs.output(Features(split=split), model=trained) for split in ("train", "test"))
    outside = runs.output(Features(dataset=Noise()), model=trained)
    _, metrics = runs(Detect(detector=Msp()), train=fit, inside=inside, outside=outside)
    near, far = (1 - probabilities(folder)[0].amax(1) for folder in (inside, outside))
    truth = torch.cat([torch.zeros(len(near)), torch.ones(len(far))])
    assert metrics["auroc"] == pytest.approx(roc_auc_score(truth, torch.cat([near, far])), abs=1e-3)
    assert metrics["auroc"] > 0.7
    rates = {"ccr_1e-4", "ccr_1e-3", "ccr_1e-2", "ccr_1e-1"}
    assert metrics.keys() == {"auroc", "aupr_in", "aupr_out", "fpr95"} | rates
    first = far.sort().values[len(far) // 10]
    right = probabilities(inside)[0].argmax(1) == probabilities(inside)[1]
    assert metrics["ccr_1e-1"] == pytest.approx(float((right & (near < first)).double().mean()), abs=0.01)
    _, other = runs(Detect(detector=Msp(), positive="outside"), train=fit, inside=inside, outside=outside)
    assert other["fpr95"] == pytest.approx(float((near >= far.quantile(0.05)).double().mean()), abs=0.02)
    assert other | {"fpr95": metrics["fpr95"]} == metrics


def test_outputs_of_several_networks_are_not_compared(runs, trained):
    fit = runs.output(Features(split="train"), model=trained)
    other = runs.output(Features(), model=runs.output(runs.small(seed=1)))
    with pytest.raises(ValueError, match="must be outputs of one network, got those of several"):
        runs(Detect(detector=Msp()), train=fit, inside=other, outside=other)


def test_a_detector_that_scores_everything_alike_is_a_guess_and_says_so(runs, trained, tmp_path):
    network = tmp_path / "silent"
    shutil.copytree(trained, network)
    tensors = load_file(network / "model.safetensors")
    save_file(
        {name: tensor * (not name.startswith("head.")) for name, tensor in tensors.items()},
        network / "model.safetensors",
    )
    fit, inside = (runs.output(Features(split=split), model=network) for split in ("train", "test"))
    outside = runs.output(Features(dataset=Noise(count=50)), model=network)
    space, metrics = runs(Detect(detector=Msp()), train=fit, inside=inside, outside=outside)
    assert (metrics["auroc"], metrics["fpr95"], metrics["ccr_1e-1"]) == (0.5, 1, 0)
    assert space.warnings == ["all scores are equal: the detector tells nothing apart"]


def test_an_attack_without_room_changes_nothing(runs, trained):
    _, metrics = runs(Attack(attack=Fgsm(epsilon=0)), model=trained)
    _, clean = runs(Classify(), model=trained)
    assert metrics["test.accuracy"] == metrics["test.clean_accuracy"] == clean["test.accuracy"]
    assert math.isclose(metrics["test.loss"], clean["test.nll"], rel_tol=1e-6)


def test_a_stronger_attack_leaves_less(runs, trained):
    found = [
        runs(Attack(attack=Pgd(epsilon=epsilon, steps=5)), model=trained)[1] for epsilon in (0.02, 0.1, 0.3)
    ]
    accuracies = [metrics["test.accuracy"] for metrics in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < 0.1 < accuracies[0] < found[0]["test.clean_accuracy"]


def test_the_batch_size_of_an_attack_does_not_change_who_is_fooled(runs, trained):
    one, two = (
        runs(Attack(attack=Pgd(epsilon=0.1, steps=3), batch_size=size), model=trained)[1]
        for size in (64, 400)
    )
    assert one == pytest.approx(two, rel=1e-4)


def test_a_few_samples_are_a_fixed_draw_of_the_split(runs, trained):
    few = Attack(attack=Fgsm(epsilon=0.1), samples=100)
    _, metrics = runs(few, model=trained)
    assert metrics == runs(few, model=trained)[1]
    assert (metrics["test.accuracy"] * 100) % 1 == pytest.approx(0)
    assert metrics != runs(Attack(attack=Fgsm(epsilon=0.1)), model=trained)[1]


def test_an_attack_says_when_gradients_vanish_and_when_accuracy_is_chance(runs, trained, tmp_path):
    # A network whose only hidden layer is dead answers the same to every image, and its loss is flat.
    from workloads.stages._networks import read

    model = read(trained)
    with torch.no_grad():
        model.network.body.hidden1.weight.zero_()
        model.network.body.hidden1.bias.fill_(-1)
    dead = tmp_path / "dead"
    dead.mkdir()
    model.publish(dead)
    space, metrics = runs(Attack(attack=Pgd(steps=1)), model=dead)
    assert metrics["test.clean_accuracy"] == 0.1
    assert len(space.warnings) == 3
    assert space.warnings[0].startswith("100.0% of the images have an all-zero gradient")
    assert space.warnings[1] == "the clean accuracy, 10.0%, is that of chance among 10 classes"
    assert "withstand one without bounds too" in space.warnings[2]


def test_an_attack_on_a_trained_network_warns_of_nothing(runs, trained):
    assert runs(Attack(attack=Pgd(steps=1)), model=trained)[0].warnings == []


@pytest.mark.parametrize("field", ["samples", "batch_size"])
def test_an_attack_on_nothing_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        Attack(attack=Fgsm(), **{field: 0})


def test_initialise_gives_other_weights_for_another_seed_or_stream(runs):
    def head(**fields):
        stage = Initialise(**{"architecture": Resnet8(width=4), "dataset": Digits(), "seed": 0} | fields)
        return load_file(runs.output(stage) / "model.safetensors")["head.weight"]

    found = [head(), head(seed=1), head(stream=1)]
    assert torch.equal(found[0], head(stream=0))
    assert all(not torch.equal(found[a], found[b]) for a, b in [(0, 1), (0, 2), (1, 2)])


def test_a_fresh_network_knows_the_statistics_of_its_training_images(runs):
    folder = runs.output(Initialise(architecture=Mlp(), dataset=Digits(), seed=0))
    stored = load_file(folder / "model.safetensors")
    images = Digits().learning().train.images.double() / 255
    assert stored["mean"].item() == pytest.approx(images.mean().item(), rel=1e-6)
    assert stored["std"].item() == pytest.approx(images.std(correction=0).item(), rel=1e-6)
    assert json.loads((folder / "network.json").read_text()) == {
        "architecture": {"hidden": [300, 100], "name": "mlp", "unknown_outputs": 0},
        "classes": 10,
        "dataset": {"keep": [], "name": "digits"},
        "epochs": 0,
        "shape": [1, 8, 8],
        "training_flops": 0,
    }
