"""Images out of the range of pixels: the same ones, 255 times as bright to a network."""

from __future__ import annotations

import pytest
import torch

from workloads.datasets._conversion import as_float
from workloads.datasets.digits import Digits
from workloads.datasets.out_of_range import OutOfRange
from workloads.datasets.textures import Textures


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 20)])
def test_a_network_sees_255_times_the_pixels_of_the_set(shape):
    plain, bright = (
        given.view("test", shape) for given in (Textures(count=5), OutOfRange(Textures(count=5)))
    )
    assert torch.equal(as_float(bright.images), plain.images.float())
    assert as_float(bright.images).max() > 200
    assert torch.equal(bright.labels, plain.labels)


def test_it_says_that_its_pixels_leave_the_box_and_that_it_shows_the_same():
    assert not OutOfRange(Digits()).boxed
    assert Digits().boxed
    assert OutOfRange(Digits()).concepts == Digits().concepts
    assert OutOfRange(Digits()).classes == 10


def test_nothing_learns_from_it():
    with pytest.raises(ValueError, match="for out-of-distribution tests: validation or test, not train"):
        OutOfRange(Digits()).learning()
