"""The average that a training keeps, recomputed from the weights that it passed through."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from orchestrator.build import names
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.fgsm import Fgsm
from workloads.averaging.base import Averaging
from workloads.averaging.cigl import Cigl
from workloads.averaging.ema import Ema
from workloads.averaging.moon import Moon
from workloads.averaging.swa import Swa
from workloads.datasets._conversion import as_float
from workloads.datasets.base import LearningData, Split
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.sgd import Sgd
from workloads.randomness import derive, stream
from workloads.schedules.constant import Constant
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.static import Static
from workloads.training.averages import multiplied
from workloads.training.batch_norm import recompute_statistics
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe

WINDOWS = sorted(set(names(Averaging)) - {"last"})
SEED, EPOCHS, PER_EPOCH = 3, 4, 9


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture
def follow(data, tmp_path):
    """Trains, and gives what came out beside the parameters after every step."""

    def run(averaging, sparsify=None, network=None, data=data, **fields):
        network = network or Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
        seen = []

        def look(done, total, **metrics):
            seen.append({name: value.detach().clone() for name, value in network.named_parameters()})

        recipe = Recipe(
            **{
                "epochs": EPOCHS,
                "batch_size": 128,
                "seed": SEED,
                "optimizer": Sgd(),
                "schedule": Constant(),
                "objective": CrossEntropy(),
                "sparsify": sparsify or Fixed(),
                "averaging": averaging,
            }
            | fields
        )
        return train(recipe, network, {}, data, Host("cpu", tmp_path, Nobody(), look)), seen

    return run


@pytest.mark.parametrize(
    "averaging", [Swa(begin=0.5), Moon(begin=0.5), Moon(begin=0.5, snapshots="first_tenth")]
)
@pytest.mark.parametrize("sparsify", [Fixed(), Static(sparsity=0.8), Rigl(sparsity=0.8, interval=2, end=0.5)])
def test_the_average_is_the_plain_mean_of_the_weights_at_its_moments(averaging, sparsify, follow):
    trained, seen = follow(averaging, sparsify)
    steps = EPOCHS * PER_EPOCH
    moments = [step for step in range(1, steps + 1) if averaging.due(step, steps, PER_EPOCH)]
    assert trained.averaged == len(moments) >= 2
    for name, value in trained.network.named_parameters():
        mean = torch.stack([seen[step - 1][name].double() for step in moments]).mean(0)
        assert torch.allclose(value.double(), mean, rtol=1e-5, atol=1e-7)
        if name in trained.masks:
            assert not value[~trained.masks[name]].any()
            # nearly all that exist have been away from zero, so no connection is lost
            assert value[trained.masks[name]].count_nonzero() >= 0.97 * int(trained.masks[name].sum())


def test_the_average_is_that_of_torch(follow):
    network = Resnet8(width=4).network((1, 8, 8), 10, 0)
    trained, seen = follow(Swa(begin=0.5, batch_norm="keep"), network=network)
    # torch wants a module of which it makes a copy; the copy is never run.
    reference = torch.optim.swa_utils.AveragedModel(Resnet8(width=4).network((1, 8, 8), 10, 0))
    for step in (18, 27, 36):
        moment = Resnet8(width=4).network((1, 8, 8), 10, 0)
        moment.load_state_dict(seen[step - 1], strict=False)
        reference.update_parameters(moment)
    for name, value in reference.module.named_parameters():
        assert torch.allclose(dict(trained.network.named_parameters())[name], value, rtol=1e-5, atol=1e-7)


def test_a_moving_average_weighs_older_steps_less_and_less(follow):
    trained, seen = follow(Ema(decay=0.9))
    expected = seen[0]["head.weight"].double()
    for count, weights in enumerate(seen[1:], start=1):
        share = max(0.1, 1 / (count + 1))
        expected = (1 - share) * expected + share * weights["head.weight"].double()
    assert trained.averaged == len(seen)
    assert torch.allclose(trained.network.head.weight.double(), expected, rtol=1e-5, atol=1e-7)


def test_cigl_keeps_the_mean_of_the_weights_that_were_not_left_out(follow):
    averaging = Cigl(begin=0.5, drop=0.3)
    trained, seen = follow(averaging, Static(sparsity=0.5))
    parts = []
    for step in (18, 27, 36):
        weights = {name: seen[step - 1][name] for name in prunable(trained.network)}
        factors = averaging.factors(weights, trained.masks, derive(SEED, "step", step - 1))
        parts.append((weights["head.weight"] * factors["head.weight"]).double())
    mean = torch.stack(parts).mean(0)
    assert torch.allclose(trained.network.head.weight.double(), mean, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(mean, seen[-1]["head.weight"].double(), rtol=0.1)


def test_masks_that_move_under_cigl_leave_the_average_as_sparse_as_the_last_network(follow):
    trained, seen = follow(Cigl(begin=0.25), Rigl(sparsity=0.8, interval=2, end=1.0))
    mask = trained.masks["body.hidden1.weight"]
    union = sum(seen[step - 1]["body.hidden1.weight"] != 0 for step in (9, 18, 27, 36)) > 0
    assert int(union.sum()) > int(mask.sum())
    assert not trained.network.body.hidden1.weight[~mask].any()


def test_a_weight_that_is_left_out_does_not_move(follow):
    averaging = Cigl(drop=0.5)
    _, seen = follow(averaging, optimizer=Sgd(momentum=0, nesterov=False, weight_decay=0))
    for step in (1, 20):
        before, after = (seen[step - 1 + later]["head.weight"] for later in (0, 1))
        factors = averaging.factors({"head.weight": before}, {}, derive(SEED, "step", step))["head.weight"]
        assert torch.equal(after[factors == 0], before[factors == 0])
        assert (after != before)[factors == 1].double().mean() > 0.9


def test_the_gradient_of_multiplied_weights_is_that_of_autograd():
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    images, labels = torch.rand(7, 1, 8, 8, generator=stream(0)), torch.arange(7)
    weights = prunable(network)
    factors = Cigl(drop=0.3, rescale=True).factors(weights, {}, 5)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    leaves = {name: weight.clone().requires_grad_() for name, weight in before.items()}
    given = {name: leaf * factors[name] for name, leaf in leaves.items()}
    cross_entropy(functional_call(network, given, images), labels).backward()
    with multiplied(weights, factors):
        cross_entropy(network(images), labels).backward()
    for name, weight in weights.items():
        assert torch.equal(weight, before[name])
        assert torch.allclose(weight.grad, leaves[name].grad, rtol=1e-6, atol=1e-9)


@pytest.fixture
def network():
    return Resnet8(width=4).network((1, 8, 8), 10, 0)


def test_new_statistics_are_those_of_one_batch_in_closed_form(network, data):
    images = data.train.images[:300]
    recompute_statistics(network, images)
    maps = network.body.stem.conv(
        (as_float(images) - network.mean[:, None, None]) / network.std[:, None, None]
    )
    norm = network.body.stem.norm
    assert torch.allclose(norm.running_mean, maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    assert torch.allclose(norm.running_var, maps.var((0, 2, 3), correction=1), rtol=1e-4)
    assert norm.momentum == 0.1
    assert network.training


def test_new_statistics_are_those_of_torch_on_the_same_batches(network, data):
    images = data.train.images
    order = torch.randperm(len(images), generator=stream(0, "batch norm"))[:1024]
    twin = Resnet8(width=4).network((1, 8, 8), 10, 0)
    torch.optim.swa_utils.update_bn([as_float(images[places]) for places in order.split(512)], twin)
    recompute_statistics(network, images)
    for one, two in zip(network.buffers(), twin.buffers(), strict=True):
        assert torch.allclose(one, two, rtol=1e-5, atol=1e-7)


def test_images_sorted_by_class_get_the_statistics_of_mixed_ones(network, data):
    dark, light = (
        torch.zeros(600, 1, 8, 8, dtype=torch.uint8),
        torch.full((600, 1, 8, 8), 255, dtype=torch.uint8),
    )
    recompute_statistics(network, torch.cat([dark, light]))
    mixed = network.body.stem.norm.running_var.clone()
    recompute_statistics(network, torch.stack([dark, light], 1).flatten(0, 1))
    assert torch.allclose(mixed, network.body.stem.norm.running_var, rtol=0.02)


@pytest.mark.parametrize("objective", [CrossEntropy(), Adversarial(attack=Fgsm(epsilon=0.3))])
def test_the_statistics_of_an_average_are_kept_or_made_clean_or_as_the_objective_shows_images(
    objective, follow, data
):
    # All images are one batch, so that clean images give the same statistics in whatever order.
    few = LearningData(Split(data.train.images[:200], data.train.labels[:200]), data.validation, 10, "")
    found = {}
    for choice in ("keep", "clean", "objective"):
        network = Resnet8(width=4).network((1, 8, 8), 10, 0)
        follow(
            Swa(begin=0.5, batch_norm=choice), network=network, data=few, objective=objective, batch_size=200
        )
        found[choice] = network.body.stem.norm.running_mean
    assert not torch.allclose(found["keep"], found["clean"], rtol=1e-2)
    close = torch.allclose(found["objective"], found["clean"], rtol=1e-4, atol=1e-5)
    assert close == isinstance(objective, CrossEntropy)
