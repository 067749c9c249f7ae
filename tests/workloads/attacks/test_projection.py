from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.attacks._projection import lengths, project
from workloads.randomness import normal, uniform


def image(*pixels: float) -> torch.Tensor:
    return torch.tensor(pixels)[None, None, None, :]


def test_linf_cuts_each_pixel_alone() -> None:
    found = project(image(0.9, 0.52, 0.1, 0.5), image(0.5, 0.5, 0.5, 0.5), 0.25, "linf")
    assert torch.equal(found, image(0.75, 0.52, 0.25, 0.5))


def test_l2_shortens_the_change_and_keeps_its_direction() -> None:
    found = project(image(0.5 + 0.3, 0.5 + 0.4), image(0.5, 0.5), 0.25, "l2")
    assert torch.allclose(found, image(0.5 + 0.15, 0.5 + 0.2))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_range_of_pixels_comes_after_the_ball(norm) -> None:
    assert torch.equal(project(image(1.5, 0.5), image(0.9, 0.5), 0.2, norm), image(1.0, 0.5))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), epsilon=st.floats(0, 1), reach=st.floats(0.01, 100))
def test_projecting_lands_inside_and_moves_nothing_that_was_inside(norm, seed, epsilon, reach) -> None:
    samples = torch.arange(5)
    images = uniform(seed, samples, (2, 3, 4))
    found = project(images + reach * normal(seed, samples, (2, 3, 4)), images, epsilon, norm)
    change = found - images
    size = change.abs().amax((1, 2, 3)) if norm == "linf" else lengths(change).flatten()
    assert (size <= epsilon + 1e-6).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.allclose(project(found, images, epsilon, norm), found, atol=1e-6)


def test_no_gradient_flows_through_the_projection() -> None:
    perturbed = image(0.5, 0.6).requires_grad_()
    assert not project(perturbed, image(0.5, 0.5), 0.3, "l2").requires_grad
