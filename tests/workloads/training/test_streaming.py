"""A split too large for the device is gathered one batch ahead: the same batches, the same network."""

from __future__ import annotations

import threading
from itertools import islice

import pytest
import torch

from workloads.architectures.mlp import Mlp
from workloads.augmentations.compose import Compose
from workloads.augmentations.crop_flip import CropFlip
from workloads.augmentations.mixup import Mixup
from workloads.datasets.base import LearningData, Split
from workloads.datasets.digits import Digits
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.fixed import Fixed
from workloads.training import batches as module
from workloads.training.batches import Batches, statistics
from workloads.training.evaluation import forward
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


def mapped(split, folder):
    """``split`` with its images in a file."""
    file = folder / f"{len(split)} images"
    file.write_bytes(split.images.numpy().tobytes())
    images = torch.from_file(str(file), size=split.images.numel(), dtype=torch.uint8)
    return Split(images.view(split.images.shape), split.labels)


def small_room(monkeypatch):
    monkeypatch.setattr(module, "room", lambda device: 0)


def test_a_split_is_gathered_ahead_only_where_it_does_not_fit(data, monkeypatch):
    size = data.train.images.nbytes
    for room, ahead in ((size, False), (size - 1, True)):
        monkeypatch.setattr(module, "room", lambda device, room=room: room)
        assert Batches.of(data.train, 128, 0, "cpu").ahead is ahead


@pytest.mark.parametrize("first", [0, 5, 9, 13])
def test_batches_gathered_ahead_from_a_file_are_those_of_memory(first, data, tmp_path, monkeypatch):
    resident = list(Batches.of(data.train, 128, 3, "cpu").steps(first, 27))
    small_room(monkeypatch)
    ahead = list(Batches.of(mapped(data.train, tmp_path), 128, 3, "cpu").steps(first, 27))
    assert len(resident) == len(ahead) == 27 - first
    for one, other in zip(resident, ahead, strict=True):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def test_steps_follow_the_order_of_each_epoch_wherever_they_begin(data):
    batches = Batches.of(data.train, 128, 3, "cpu")
    expected = torch.cat([batches.order(epoch) for epoch in range(3)])
    for first in (0, 8, 9, 20):
        taken = list(batches.steps(first, 27))
        assert torch.equal(torch.stack([one.samples for one in taken]), expected[first:])
        assert torch.equal(taken[0].images, data.train.images[expected[first]])
        assert torch.equal(taken[0].labels, data.train.labels[expected[first]])


def test_no_steps_are_no_batches(data, monkeypatch):
    assert list(Batches.of(data.train, 128, 0, "cpu").steps(9, 9)) == []
    small_room(monkeypatch)
    assert list(Batches.of(data.train, 128, 0, "cpu").steps(9, 9)) == []


class Counted:
    """Images that count how often they were indexed."""

    def __init__(self, images, fails_at=None):
        self.images, self.fails_at, self.times = images, fails_at, 0
        self.gathered = threading.Semaphore(0)

    def __getitem__(self, places):
        self.times += 1
        self.gathered.release()
        if self.times == self.fails_at:
            raise OSError("the file is gone")
        return self.images[places]

    @property
    def device(self):
        return self.images.device


def counted(data, **fields):
    return Batches(Counted(data.train.images, **fields), data.train.labels, 128, 0, "cpu", ahead=True)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_one_batch_is_gathered_ahead_and_no_more(data):
    batches = counted(data)
    assert batches.images.times == 0
    for taken, _ in enumerate(batches.steps(0, 9), start=1):
        while batches.images.times < min(taken + 1, 9):
            assert batches.images.gathered.acquire(timeout=60)
        assert batches.images.times == min(taken + 1, 9)


def test_an_error_of_the_thread_comes_out_at_its_batch(data):
    steps = counted(data, fails_at=3).steps(0, 9)
    assert len(list(islice(steps, 2))) == 2
    with pytest.raises(OSError, match="the file is gone"):
        next(steps)
    assert not threads()


def test_whoever_stops_early_leaves_no_thread(data):
    steps = counted(data).steps(0, 9)
    next(steps)
    assert threads()
    steps.close()
    assert not threads()


class Checkpoints:
    """Saves at given steps and hands out the newest."""

    def __init__(self, *due):
        self.wanted, self.saved, self.step = due, None, 0

    def due(self):
        self.step += 1
        return self.step in self.wanted

    def latest(self):
        self.step = self.saved[0] if self.saved else 0
        return self.saved

    def save(self, step, folder):
        self.saved = (step, folder)


class Interrupted(Exception):
    pass


def trained(data, scratch, checkpoint, stop=None):
    """The weights after two epochs with an augmentation that mixes labels."""

    def progress(done, total, **metrics):
        if done == stop:
            raise Interrupted

    scratch.mkdir()
    recipe = Recipe(
        epochs=2,
        batch_size=128,
        seed=0,
        optimizer=Sgd(),
        schedule=Constant(),
        objective=CrossEntropy(),
        sparsify=Fixed(),
        augmentation=Compose((CropFlip(flip=0.0), Mixup(alpha=0.4))),
    )
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    train(recipe, network, {}, data, Host("cpu", scratch, checkpoint, progress))
    return torch.cat([weight.flatten() for weight in network.parameters()])


def test_a_streamed_training_ends_in_the_same_network_interrupted_or_not(data, tmp_path, monkeypatch):
    whole = trained(data, tmp_path / "whole", Checkpoints())
    small_room(monkeypatch)
    from_file = LearningData(mapped(data.train, tmp_path), mapped(data.validation, tmp_path), 10, "")
    assert torch.equal(trained(from_file, tmp_path / "streamed", Checkpoints()), whole)
    checkpoints = Checkpoints(5, 14)
    for stop in (5, 14):
        with pytest.raises(Interrupted):
            trained(from_file, tmp_path / f"until {stop}", checkpoints, stop)
    assert torch.equal(trained(from_file, tmp_path / "resumed", checkpoints), whole)
    assert checkpoints.saved[0] == 14
    assert not threads()


def test_what_is_computed_from_a_file_is_what_is_computed_from_memory(data, tmp_path):
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    from_file = mapped(data.train, tmp_path).images
    for one, other in (
        (forward(network, data.train.images), forward(network, from_file)),
        (statistics(data.train.images), statistics(from_file)),
    ):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def test_statistics_do_not_depend_on_how_many_images_are_counted_at_once(data, monkeypatch):
    whole = statistics(data.train.images)
    monkeypatch.setattr(module, "CHUNK", 100)
    parts = statistics(data.train.images)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(whole, parts, strict=True))
