"""Every augmentation: what an image gets belongs to its position and the epoch, whatever the batch."""

from __future__ import annotations

import pytest
import torch

from orchestrator.build import build, names
from workloads.augmentations.base import Augmentation
from workloads.augmentations.compose import Compose
from workloads.augmentations.cutmix import CutMix
from workloads.augmentations.mixup import Mixup
from workloads.objectives.adversarial import Adversarial
from workloads.randomness import derive
from workloads.stages.train import Train

EVERY = names(Augmentation)
MIXING = tuple(name for name in EVERY if build(Augmentation, name).mixes)
PLAIN = tuple(name for name in EVERY if name not in MIXING)
SHAPES = [(3, 32, 32), (1, 8, 8), (3, 7, 13), (1, 1, 1)]
#: As many as cover every branch of a random choice.
COUNT, CLASSES = 120, 10


def batch(shape, count=COUNT):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((count, *shape), generator=generator)
    return images, torch.arange(count) % CLASSES, torch.randperm(60_000, generator=generator)[:count]


def augmented(name, images, labels, samples, seed=0):
    return build(Augmentation, name).augment(images, labels, samples, seed, CLASSES)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", EVERY)
def test_images_keep_their_shape_and_range_and_the_given_ones_stay(name, shape):
    images, labels, samples = batch(shape)
    images[:40], images[40:80] = 0, 1
    before = images.clone()
    found, _ = augmented(name, images, labels, samples)
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(images, before)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PLAIN)
def test_an_image_gets_the_same_in_whatever_batch(name, shape):
    images, labels, samples = batch(shape)
    whole, targets = augmented(name, images, labels, samples)
    assert targets is None
    for size in (1, 7, 64):
        parts = zip(*(torch.split(part, size) for part in (images, labels, samples)), strict=True)
        assert torch.equal(torch.cat([augmented(name, *part)[0] for part in parts]), whole)
    backwards = augmented(name, images.flip(0), labels.flip(0), samples.flip(0))[0]
    assert torch.equal(backwards, whole.flip(0))


@pytest.mark.parametrize("name", MIXING)
def test_a_mix_belongs_to_the_set_of_images_and_not_to_their_order(name):
    images, labels, samples = batch((3, 32, 32))
    whole, targets = augmented(name, images, labels, samples)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))
    shuffled, of_shuffled = augmented(name, images[order], labels[order], samples[order])
    assert torch.equal(shuffled, whole[order])
    assert torch.equal(of_shuffled, targets[order])


@pytest.mark.parametrize("name", [name for name in EVERY if name != "none"])
def test_another_epoch_shows_other_images_and_the_same_epoch_the_same(name):
    images, labels, samples = batch((3, 32, 32))
    first, again, other = (augmented(name, images, labels, samples, seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    changed = (first != other).flatten(1).any(1)
    assert changed.float().mean() > 0.7


@pytest.mark.parametrize("name", EVERY)
def test_the_global_stream_is_neither_read_nor_moved(name):
    images, labels, samples = batch((3, 8, 8))
    before = torch.random.get_rng_state()
    first = augmented(name, images, labels, samples)[0]
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        assert torch.equal(augmented(name, images, labels, samples)[0], first)


@pytest.mark.parametrize("name", MIXING)
def test_targets_say_how_much_of_which_image_is_shown(name):
    # Each image is one colour in a channel of its own: what is shown can be read from the pixels.
    images = torch.eye(CLASSES)[:, :, None, None].expand(-1, -1, 8, 8).contiguous()
    shown, targets = augmented(name, images, torch.arange(CLASSES), torch.arange(CLASSES))
    assert torch.allclose(shown.mean((2, 3)), targets, atol=1e-6)
    assert torch.allclose(targets.sum(1), torch.ones(CLASSES))
    assert (targets > 0).sum(1).max() == 2
    assert (targets < 1).any()


def test_a_mix_of_a_single_image_is_that_image():
    images, labels, samples = batch((3, 8, 8), count=1)
    for name in MIXING:
        found, targets = augmented(name, images, labels, samples)
        assert torch.allclose(found, images)
        assert torch.allclose(targets, torch.eye(CLASSES)[:1])


def test_a_chain_gives_each_step_numbers_of_its_own():
    images, labels, samples = batch((3, 32, 32))
    chain = build(Augmentation, {"name": "compose", "steps": ["cutout", "cutout"]})
    found, _ = chain.augment(images, labels, samples, 0, CLASSES)
    cutout = build(Augmentation, "cutout")
    once, _ = cutout.augment(images, labels, samples, derive(0, 0), CLASSES)
    twice, _ = cutout.augment(once, labels, samples, derive(0, 1), CLASSES)
    assert torch.equal(found, twice)
    assert not torch.equal(once, twice)


def test_a_chain_mixes_where_one_of_its_steps_does():
    images, labels, samples = batch((3, 8, 8))
    chain = Compose((Mixup(alpha=0.2), build(Augmentation, "cutout")))
    assert chain.mixes
    assert not Compose().mixes
    _, targets = chain.augment(images, labels, samples, 0, CLASSES)
    _, expected = Mixup(alpha=0.2).augment(images, labels, samples, derive(0, 0), CLASSES)
    assert torch.equal(targets, expected)
    with pytest.raises(ValueError, match="steps may hold one augmentation that mixes labels, got 2"):
        Compose((Mixup(), CutMix()))


@pytest.mark.parametrize("augmentation", [Mixup(), Compose((CutMix(),))], ids=["mixup", "chain"])
def test_mixed_labels_are_refused_where_the_objective_takes_none(augmentation):
    Train(seed=0, epochs=1, augmentation=augmentation)
    with pytest.raises(ValueError, match="mixes labels needs an objective with soft targets"):
        Train(seed=0, epochs=1, augmentation=augmentation, objective=Adversarial())


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"name": "crop_flip", "padding": -1}, "padding must not be negative, got -1"),
        ({"name": "crop_flip", "flip": 1.5}, "flip is a probability"),
        ({"name": "cutout", "size": 0}, "size must be at least 1"),
        ({"name": "cutout", "fill": 2}, "fill must be in"),
        ({"name": "mixup", "alpha": 0}, "alpha must be positive"),
        ({"name": "cutmix", "alpha": -1}, "alpha must be positive"),
        ({"name": "cutmix", "probability": 2}, "probability must be in"),
        ({"name": "randaugment", "operations": 0}, "operations must be at least 1"),
        ({"name": "randaugment", "magnitude": 31}, "magnitude must be in"),
        ({"name": "randaugment", "fill": -1}, "fill must be in"),
        ({"name": "compose", "steps": []}, "at least one augmentation"),
        ({"name": "compose", "steps": ["crop_flop"]}, r"steps\[0\]: unknown augmentation 'crop_flop'"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Augmentation, data)
