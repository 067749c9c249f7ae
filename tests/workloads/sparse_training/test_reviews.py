"""Methods that look at the network after every epoch: EarlyCroP's trigger, Flying Bird's gap."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.datasets.digits import Digits
from workloads.pruning.crop import Crop
from workloads.pruning.magnitude import Magnitude
from workloads.randomness import derive
from workloads.sparse_training.base import Moment
from workloads.sparse_training.early import GLOBAL, Early
from workloads.sparse_training.flying_bird_plus import GAPS, LOSSES, FlyingBirdPlus
from workloads.sparse_training.static import Static


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture
def network():
    return Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)


@torch.no_grad()
def scaled(network, start, factor):
    """Put the network at ``factor`` times its start: its drift is then |factor - 1|."""
    for name, parameter in network.named_parameters():
        parameter.copy_(start[name] * factor)


def epochs_before_pruning(sparsify, network, data, factors):
    """After how many epochs it prunes, when the parameters after each epoch are the start's times these."""
    start = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    masks, memory = sparsify.start(network, {}, 0), {}
    for epoch, factor in enumerate(factors, 1):
        scaled(network, start, factor)
        found = sparsify.review(network, masks, data, Moment(epoch * 10, 100, 0), memory)
        if found is not masks:
            return epoch, found, memory
    return None, masks, memory


# The first drift is 1, so at sparsity 0.75 the trigger is a change of the drift below 0.25.
@pytest.mark.parametrize(
    ("factors", "latest", "expected"),
    [
        ((1, 2, 3, 4, 5), 1.0, None),
        ((1, 2, 2.5, 2.7, 2.9), 1.0, 4),
        ((1, 2, 2.2), 1.0, 3),
        ((1, 2, 2.5, 2.8), 0.4, 4),
        ((1, 2), 0.1, 1),
    ],
)
def test_early_prunes_once_the_parameters_have_settled_or_at_the_latest(
    factors, latest, expected, network, data
):
    sparsify = Early(sparsity=0.75, criterion=Magnitude(), latest=latest)
    epoch, masks, memory = epochs_before_pruning(sparsify, network, data, factors)
    assert epoch == expected
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert kept == (1480 if epoch is None else 370)
    assert sparsify.report(masks, memory) == ({} if epoch is None else {"pruned_at": epoch / 10})
    if epoch:
        later = sparsify.review(network, masks, data, Moment(99, 100, 0), memory)
        assert later is masks


def test_early_prunes_by_its_criterion_in_place(network, data):
    sparsify = Early(sparsity=0.8, latest=0.1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _, masks, _ = epochs_before_pruning(sparsify, network, data, (1,))
    scores = Crop().scores(network, data, derive(0, "early"))
    expected = GLOBAL().masks(scores, 0.8)
    assert all(torch.equal(masks[name], expected[name]) for name in masks)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_early_refuses_a_network_that_is_sparser_already(network):
    masks = Static(sparsity=0.9).start(network, {}, 0)
    with pytest.raises(ValueError, match="sparsity must be at least that of the network"):
        Early(sparsity=0.8).start(network, masks, 0)


@pytest.mark.parametrize("attack", [None, Pgd(epsilon=0.05, steps=2, random_start=False)])
def test_flying_bird_plus_measures_the_gap_and_leaves_the_network_alone(attack, data):
    network = Resnet8(width=4).network((1, 8, 8), 10, 0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    memory, masks = {}, {}
    sparsify = FlyingBirdPlus(sparsity=0.5, attack=attack)
    for epoch in (1, 2):
        assert sparsify.review(network, masks, data, Moment(epoch, 10, 0), memory) is masks
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    found = []
    for split in (data.train, data.validation):
        images, labels = (part[: len(data.validation)] for part in (split.images, split.labels))
        images = images.float() / 255
        if attack is not None:
            images = attack(network, images, labels, torch.arange(len(labels)), 0)
        logits = network(images).detach()
        found.append((float((logits.argmax(1) == labels).double().mean()), cross_entropy(logits, labels)))
    assert memory[GAPS].tolist() == pytest.approx([found[0][0] - found[1][0]] * 2, abs=1e-6)
    assert memory[LOSSES].tolist() == pytest.approx([float(found[1][1])] * 2, rel=1e-5)
