"""Training with every objective as a stage: interrupted, replayed, and made for the stages that judge it."""

from __future__ import annotations

import dataclasses
from statistics import fmean

import any_objective
import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import find, names
from orchestrator.stage import Stop
from workloads.architectures.mlp import Mlp
from workloads.attacks.pgd import Pgd
from workloads.augmentations.crop_flip import CropFlip
from workloads.datasets._conversion import as_float
from workloads.datasets.digits import Digits
from workloads.datasets.glyphs import Glyphs
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.awp import Awp
from workloads.objectives.base import Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.objectives.free import Free
from workloads.objectives.gaussian_noise import GaussianNoise
from workloads.optimizers.adam import Adam
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.static import Static
from workloads.stages._networks import read
from workloads.stages.attack import Attack
from workloads.stages.certify import Certify
from workloads.training.batches import Batches
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe

#: What is small enough for two epochs of nine steps.
SMALL = {"replays": 2, "steps": 2, "attack": {"name": "pgd", "steps": 2, "epsilon": 0.1}}


def objective(name):
    fields = {field.name for field in dataclasses.fields(find(Objective, name))}
    return any_objective.objective(name, **{key: SMALL[key] for key in SMALL if key in fields})


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


@pytest.mark.parametrize("name", names(Objective))
def test_a_training_with_any_objective_goes_on_to_the_same_bytes(name, runs):
    stop, network = 5, Mlp(hidden=(20,), unknown_outputs=1)  # in the middle of an epoch and of a replay
    stage = runs.small(objective=objective(name), architecture=network, sparsify=Static(sparsity=0.5))
    whole, expected = runs(stage)
    watch = runs.watch(stop)
    with pytest.raises(Stop):
        runs(stage, watch=watch)
    resumed, metrics = runs(stage, watch=watch)
    assert watch.saved == [stop]
    assert runs.files(resumed.output) == runs.files(whole.output)
    assert metrics == expected


def test_free_training_is_as_many_steps_on_each_batch_by_hand(tmp_path):
    data, epsilon, rate, replays, epochs = Digits().learning(), 0.1, 0.05, 3, 3
    plain = Sgd(rate, momentum=0.0, nesterov=False, weight_decay=0.0)
    recipe = Recipe(epochs, 256, 0, plain, Constant(), Free(replays, epsilon), Fixed())
    network = Mlp(hidden=(20,)).network(data.shape, 10, 0)
    twin = Mlp(hidden=(20,)).network(data.shape, 10, 0)
    host = Host("cpu", tmp_path, Nobody(), lambda done, total, **metrics: None)
    trained = train(recipe, network, {}, data, host)

    change, steps = torch.zeros(256, *data.shape), 0
    for place in Batches.of(data.train, 256, 0, "cpu").order(0):
        images, labels = as_float(data.train.images[place]), data.train.labels[place]
        for _ in range(replays):
            change.requires_grad_()
            loss = cross_entropy(twin((images + change).clamp(0, 1)), labels)
            up, *down = torch.autograd.grad(loss, [change, *twin.parameters()])
            with torch.no_grad():
                change = (change + epsilon * up.sign()).clamp(-epsilon, epsilon)
                for weight, gradient in zip(twin.parameters(), down, strict=True):
                    weight.sub_(rate * gradient)
            steps += 1
    assert trained.steps == steps == 12  # one pass of four batches, three times each
    for found, wanted in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_replayed_batch_is_augmented_the_same_way(tmp_path):
    seen = []

    class Noticing(Free):
        def loss(self, network, batch, memory):
            seen.append(batch.images.clone())
            return super().loss(network, batch, memory)

    data = Digits().learning()
    recipe = Recipe(
        2, 256, 0, Sgd(), Constant(), Noticing(replays=2), Fixed(), CropFlip(padding=1, flip=False)
    )
    network = Mlp(hidden=(5,)).network(data.shape, 10, 0)
    train(recipe, network, {}, data, Host("cpu", tmp_path, Nobody(), lambda done, total, **metrics: None))
    assert len(seen) == 8
    assert all(torch.equal(a, b) for a, b in zip(seen[::2], seen[1::2], strict=True))
    assert not torch.equal(seen[1], seen[2])


@pytest.mark.parametrize("free", [Free(replays=4), Awp(Free(replays=4))])
def test_epochs_that_are_no_whole_number_of_passes_are_refused(free, runs):
    with pytest.raises(
        ValueError, match=r"epochs must be a multiple of the objective's replays, 4, .*; got 6"
    ):
        runs.small(objective=free, epochs=6)


def test_masked_weights_stay_zero_when_weights_are_attacked(runs):
    stage = runs.small(objective=Awp(Adversarial(Pgd(steps=1))), sparsify=Static(sparsity=0.8))
    space, metrics = runs(stage)
    model = read(space.output)
    assert metrics["density"] == pytest.approx(0.2, abs=1e-3)
    for name, mask in model.masks.items():
        assert not dict(model.network.named_parameters())[name][~mask].any()


def test_noise_in_training_makes_a_network_that_can_be_certified(runs):
    judge = Certify(sigma=0.5, n0=20, n=200, samples=60, radii=(0.0, 0.25))
    plain, noisy = (
        runs(judge, model=runs.output(runs.small(epochs=15, **fields)))[1]
        for fields in ({}, {"objective": GaussianNoise(sigma=0.5)})
    )
    for metric in ("test.certified_0", "test.certified_0.25"):
        assert noisy[metric] > plain[metric] + 0.1


#: A data set, the distance within which it is attacked, and what is enough to train on it.
ATTACKED = {
    "digits": (Digits(), 0.2, {"architecture": Mlp(hidden=(128,)), "optimizer": Sgd(lr=0.1)}),
    "glyphs": (
        Glyphs(alphabet="digits", size=16, per_class=120, held_out=40, jitter=0.5, clutter=0.0),
        0.1,
        {"architecture": Mlp(hidden=(256,)), "optimizer": Adam(lr=0.003), "batch_size": 64},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("sparsity", [0.0, 0.9])
@pytest.mark.parametrize("name", ATTACKED)
def test_adversarial_training_is_robust_and_normal_training_is_not_whatever_the_sparsity(
    name, sparsity, runs
):
    dataset, epsilon, fields = ATTACKED[name]
    judge = Attack(attack=Pgd(epsilon=epsilon, steps=20), samples=300, suspect=False)
    found = {}
    for way, minimised in (
        ("normal", CrossEntropy()),
        ("adversarial", Adversarial(Pgd(epsilon=epsilon, steps=4))),
    ):
        metrics = []
        for seed in (0, 1, 2):
            stage = runs.small(dataset=dataset, seed=seed, epochs=15, objective=minimised, **fields)
            if sparsity:
                stage = dataclasses.replace(stage, sparsify=Static(sparsity=sparsity))
            metrics.append(runs(judge, model=runs.output(stage))[1])
        found[way] = {metric: fmean(each[metric] for each in metrics) for metric in metrics[0]}
    assert found["normal"]["test.clean_accuracy"] > 0.85
    assert found["normal"]["test.accuracy"] < 0.06
    assert found["adversarial"]["test.accuracy"] > 0.2
