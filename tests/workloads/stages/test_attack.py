"""Which images an attack counts, on which outputs, and when its number should not be believed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from workloads.architectures._modes import evaluated
from workloads.architectures.mlp import Mlp
from workloads.attacks.autoattack import Autoattack
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.datasets.base import Split
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.datasets.out_of_range import OutOfRange
from workloads.stages.attack import Attack
from workloads.training.evaluation import attacked
from workloads.training.suspicion import suspicions

PLACES = torch.arange(60)


def learned(unknown_outputs=0, attack=None):
    train = Digits().load("train", None)
    images = train.images / 255
    network = Mlp(hidden=(32,), unknown_outputs=unknown_outputs).network((1, 8, 8), 10, 0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(100):
        seen = images
        if attack is not None:
            seen = attack(network, images, train.labels, torch.arange(len(images)), 0)
        optimizer.zero_grad()
        cross_entropy(network(seen), train.labels).backward()
        optimizer.step()
    return network


@pytest.fixture(scope="module")
def network():
    return learned()


@pytest.fixture(scope="module")
def robust():
    return learned(attack=Pgd(epsilon=0.1, steps=3))


@pytest.fixture(scope="module")
def open_set():
    return learned(unknown_outputs=1)


@pytest.fixture(scope="module")
def split():
    return Digits().load("test", None)


def right(network, logits, split, places=PLACES):
    return logits[:, : network.classes].argmax(1) == split.labels[places]


def test_images_that_are_wrong_before_are_not_attacked(network, split, monkeypatch):
    labels = split.labels.clone()
    labels[:10] = (labels[:10] + 1) % 10
    mislabelled = Split(split.images, labels)
    seen = []
    perturb = Fgsm.perturb

    def watched(self, *given):
        seen.append(given[3].tolist())
        return perturb(self, *given)

    monkeypatch.setattr(Fgsm, "perturb", watched)
    found = attacked(network, Fgsm(epsilon=0.1), mislabelled, PLACES, batch_size=60, seed=0)
    correct = right(network, found.clean, mislabelled)
    assert seen == [PLACES[correct].tolist()]
    assert not correct[:10].any()
    assert torch.equal(found.worst[~correct], found.clean[~correct])
    assert not torch.equal(found.worst[correct], found.clean[correct])


def test_nothing_is_attacked_where_all_is_wrong(network, split):
    wrong = Split(split.images, (split.labels + 1) % 10)
    found = attacked(network, Fgsm(epsilon=0.1), wrong, PLACES[:10], batch_size=60, seed=0)
    assert torch.equal(found.worst, found.clean)


def test_unknown_outputs_are_attacked_too_and_the_worse_image_counts(open_set, split):
    attack, images = Pgd(epsilon=0.06, steps=3), split.images[PLACES] / 255
    labels = split.labels[PLACES]

    class Known(torch.nn.Module):
        classes = 10

        def forward(self, images):
            return open_set(images)[:, :10]

    found = attacked(open_set, attack, split, PLACES, batch_size=60, seed=0)
    with evaluated(open_set), torch.no_grad():
        clean, known = open_set(images), open_set(attack(Known().eval(), images, labels, PLACES, 0))
    assert not (right(open_set, found.worst, split) & ~right(open_set, known, split)).any()
    fooled = right(open_set, clean, split) & ~right(open_set, known, split)
    assert 5 < fooled.sum() < 60
    assert torch.allclose(found.worst[fooled], known[fooled], atol=1e-4)


def test_a_network_that_is_weak_on_its_unknown_output_alone_falls_by_the_second_attack(open_set, split):
    class Blinding(torch.nn.Module):
        """Pgd on the known classes sees a flat loss; on all outputs it is led to where the label loses."""

        classes = 10

        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(1))

        def forward(self, images):
            size = images.mean((1, 2, 3))[:, None]
            known = torch.where(size < 0.55, 1.0, -1.0) * torch.eye(10)[0]
            return torch.cat([known + 0 * size, 5 * size], 1)

    grey = Split(torch.full((4, 1, 2, 2), 128, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    attack = Pgd(epsilon=0.2, steps=4, random_start=False)
    found = attacked(Blinding(), attack, grey, torch.arange(4), batch_size=4, seed=0)
    assert found.blind == 1
    assert not found.standing(10).any()


def test_the_result_says_that_all_outputs_were_attacked(runs):
    model = runs.output(runs.small(architecture=Mlp(hidden=(30,), unknown_outputs=1)))
    space, metrics = runs(Attack(attack=Pgd(steps=2), samples=50), model=model)
    assert [warning for warning in space.warnings if "outputs" in warning] == [
        "the network has 11 outputs for 10 classes: it was attacked on its classes and once more on all "
        "outputs, and the worse of the two counts"
    ]
    assert metrics["test.accuracy"] <= metrics["test.clean_accuracy"]


def test_a_batch_that_the_memory_does_not_hold_is_halved_and_nothing_else_changes(
    network, split, monkeypatch
):
    attack = Pgd(epsilon=0.1, steps=3)
    expected = attacked(network, attack, split, PLACES, batch_size=60, seed=0)
    sizes, forward = [], type(network).forward

    def small(self, images):
        sizes.append(len(images))
        if len(images) > 16:
            raise torch.OutOfMemoryError("on purpose")
        return forward(self, images)

    monkeypatch.setattr(type(network), "forward", small)
    found = attacked(network, attack, split, PLACES, batch_size=60, seed=0)
    assert sizes[:3] == [60, 30, 15]
    assert max(sizes[3:]) == found.batch_size == 15
    assert expected.batch_size == 60
    assert torch.equal(found.standing(10), expected.standing(10))
    assert torch.allclose(found.worst, expected.worst, atol=1e-3)


def test_an_image_that_the_memory_does_not_hold_is_an_error(network, split, monkeypatch):
    def never(self, images):
        raise torch.OutOfMemoryError("on purpose")

    monkeypatch.setattr(type(network), "forward", never)
    with pytest.raises(torch.OutOfMemoryError):
        attacked(network, Fgsm(), split, PLACES, batch_size=60, seed=0)


def test_the_stage_says_that_it_halved_the_batch(runs, trained, monkeypatch):
    from workloads.architectures.base import Network

    forward = Network.forward

    def small(self, images):
        if len(images) > 20:
            raise torch.OutOfMemoryError("on purpose")
        return forward(self, images)

    stage = Attack(attack=Pgd(steps=2), samples=40, suspect=False)
    _, expected = runs(stage, model=trained)
    monkeypatch.setattr(Network, "forward", small)
    space, metrics = runs(stage, model=trained)
    assert metrics == pytest.approx(expected, rel=1e-4)
    assert space.warnings == [
        "the memory did not hold 256 images at once, so 20 were attacked at once; a smaller batch_size does "
        "that from the start"
    ]


def said(network, attack, split, places=PLACES):
    found = attacked(network, attack, split, places, batch_size=60, seed=0)
    return list(suspicions(network, attack, split, places, found, seed=0))


class Rounding(torch.nn.Module):
    """Rounds the pixels, so that no gradient passes, and then asks another network."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.classes, self.shape, self.mean = inner.classes, inner.shape, inner.mean

    def forward(self, images):
        return self.inner((8 * images).round().detach() / 8) + 0 * images.sum()


def test_an_attack_that_is_strong_enough_is_not_suspected(robust, network, split):
    assert said(robust, Pgd(epsilon=0.1, steps=20), split) == []
    assert said(network, Pgd(epsilon=0.1, steps=20), split) == []
    assert said(robust, Autoattack(epsilon=0.1, steps=10, queries=50, targets=3), split) == []


def test_an_attack_of_too_few_steps_is_suspected(network, split):
    weak = Pgd(epsilon=0.1, steps=2, step=0.02, random_start=False)
    sentences = said(network, weak, split)
    assert sentences[0].startswith("a longer search fools the network on ")
    assert "points too high, or more" in sentences[0]


def test_hidden_gradients_are_found_by_a_random_search_and_without_bounds(network, split):
    sentences = said(Rounding(network), Pgd(epsilon=0.2, steps=5, random_start=False), split)
    assert sentences[0].startswith("a random search of 50 queries fools the network on ")
    assert "withstand one without bounds too: gradients do not lead" in sentences[-1]


def test_a_stage_that_does_not_suspect_asks_nothing(runs, trained):
    weak = Attack(attack=Pgd(epsilon=0.1, steps=2, step=0.02, random_start=False), samples=100)
    assert runs(replace(weak, suspect=False), model=trained)[0].warnings == []
    assert len(runs(weak, model=trained)[0].warnings) > 0


def test_images_that_are_no_pixels_are_refused(network, split):
    floats = Split(split.images.float(), split.labels)
    with pytest.raises(
        ValueError, match=r"needs images of pixels from 0 to 255 \(uint8\), got torch.float32"
    ):
        attacked(network, Fgsm(), floats, PLACES, batch_size=60, seed=0)


def test_images_without_labels_or_outside_of_the_box_are_refused_before_anything_runs():
    with pytest.raises(ValueError, match="an attack needs images with labels, and noise has none"):
        Attack(attack=Fgsm(), dataset=Noise())
    with pytest.raises(ValueError, match=r"needs pixels in \[0, 1\], and those of out_of_range.* are not"):
        Attack(attack=Fgsm(), dataset=OutOfRange(Digits()))


def test_nothing_is_learned_from_images_outside_of_the_box(runs):
    with pytest.raises(ValueError, match="out_of_range is for out-of-distribution tests"):
        runs(runs.small(dataset=OutOfRange(Digits())))
