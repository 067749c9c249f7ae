"""What every attack promises, for every file that exists, in both norms."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from orchestrator.build import build, names
from orchestrator.errors import SpecError
from workloads.attacks.base import Attack

EVERY = [(name, norm) for name in names(Attack) for norm in ("linf", "l2")]
EPSILON = {"linf": 0.1, "l2": 1.0}
#: Enough for these tests where an attack does more by default.
BUDGET = {
    "apgd": {"steps": 20},
    "autoattack": {"steps": 5, "queries": 20, "targets": 2},
    "fab": {"steps": 10, "targets": 3},
    "square": {"queries": 200},
}


def attack(name: str, norm: str, **fields) -> Attack:
    budget = BUDGET.get(name, {})
    return build(Attack, {"name": name, "norm": norm, "epsilon": EPSILON[norm], **budget, **fields})


def sizes(changes: torch.Tensor, norm: str) -> torch.Tensor:
    return torch.linalg.vector_norm(changes.flatten(1).double(), 2 if norm == "l2" else torch.inf, dim=1)


@pytest.mark.parametrize(("name", "norm"), EVERY)
@pytest.mark.parametrize("factor", [0, 0.1, 1, 10])
def test_found_images_are_in_the_ball_and_in_the_range_of_pixels(name, norm, factor, trained, tested) -> None:
    epsilon = min(EPSILON[norm] * factor, 1.0 if norm == "linf" else 100)
    found = attack(name, norm, epsilon=epsilon)(trained, *tested, seed=0)
    assert found.shape == tested[0].shape
    assert found.dtype == tested[0].dtype
    assert found.min() >= 0
    assert found.max() <= 1
    assert sizes(found - tested[0], norm).max() <= epsilon + 1e-6


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_a_ball_of_no_size_leaves_the_images_as_they_are(name, norm, trained, tested) -> None:
    found = attack(name, norm, epsilon=0)(trained, *tested, seed=0)
    assert torch.equal(found, tested[0])


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_the_attack_raises_the_loss_and_fools_the_network(name, norm, trained, tested) -> None:
    images, labels, _ = tested
    found = attack(name, norm)(trained, *tested, seed=0)
    with torch.no_grad():
        clean, attacked = (trained(each) for each in (images, found))
    assert (clean.argmax(1) == labels).float().mean() > 0.9
    assert (attacked.argmax(1) == labels).float().mean() < 0.6
    right = clean.argmax(1) == labels  # an attack that looks for near images leaves the others as they are
    losses = [functional.cross_entropy(logits, labels, reduction="none") for logits in (clean, attacked)]
    assert (losses[1] >= losses[0])[right].float().mean() > 0.95
    assert losses[1].mean() > 5 * losses[0].mean()


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_the_batch_size_and_the_order_change_nothing(name, norm, trained, tested) -> None:
    used = attack(name, norm)
    together = used(trained, *tested, seed=4)
    parts = [
        used(trained, *(part[start : start + 25] for part in tested), seed=4) for start in range(0, 100, 25)
    ]
    mixed = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    reordered = used(trained, *(part[mixed] for part in tested), seed=4)
    # A matrix product may round differently with its number of rows, and a sign may turn on that.
    assert ((torch.cat(parts) - together).abs() > 1e-5).float().mean() < 1e-3
    assert ((reordered - together[mixed]).abs() > 1e-5).float().mean() < 1e-3


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_no_global_stream_is_read_or_touched(name, norm, trained, tested) -> None:
    before = torch.random.get_rng_state()
    first = attack(name, norm)(trained, *tested, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        assert torch.equal(first, attack(name, norm)(trained, *tested, seed=0))


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_the_network_is_left_as_it_was_without_gradients(name, norm, trained, tested) -> None:
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    images = tested[0].clone()
    found = attack(name, norm)(trained, *tested, seed=0)
    assert not found.requires_grad
    assert not trained.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in trained.parameters())
    assert all(torch.equal(before[key], value) for key, value in trained.state_dict().items())
    assert torch.equal(tested[0], images)


@pytest.mark.parametrize(("name", "norm"), EVERY)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference"])
def test_the_callers_grad_mode_does_not_matter(name, norm, mode, trained, tested) -> None:
    expected = attack(name, norm)(trained, *tested, seed=0)
    with mode():
        images, labels, samples = (part.clone() for part in tested)
        found = attack(name, norm)(trained, images, labels, samples, seed=0)
        assert not torch.is_grad_enabled()
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_the_attack_is_not_blind_where_the_network_is_sure_beyond_float32(
    name, norm, trained, tested
) -> None:
    class Sure(torch.nn.Module):
        classes = 10

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return 1000 * trained(images)

    images, labels, _ = tested
    sure = Sure().eval()
    plain = functional.cross_entropy(sure(images), labels, reduction="none")
    assert (plain == 0).float().mean() > 0.5  # where the gradient of the cross-entropy is zero as well
    found = attack(name, norm)(sure, *tested, seed=0)
    assert (sure(found).argmax(1) == labels).float().mean() < 0.6


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_an_epsilon_below_zero_is_refused(name, norm) -> None:
    with pytest.raises(SpecError, match=r"epsilon must not be negative, got -0\.1"):
        attack(name, norm, epsilon=-0.1)


@pytest.mark.parametrize("name", names(Attack))
def test_an_epsilon_in_grey_levels_is_refused(name) -> None:
    with pytest.raises(
        SpecError, match=r"units of the pixel range \[0, 1\], got 8.0; for 0..255 write 8/255"
    ):
        attack(name, "linf", epsilon=8)
