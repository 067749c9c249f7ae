from __future__ import annotations

import pytest
import torch

from workloads.randomness import derive, normal, stream, uniform

MANY = torch.arange(400)


def splitmix64(state: int) -> int:
    """The published algorithm in Python's own integers."""
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


def test_uniform_is_splitmix64_computed_with_whole_numbers() -> None:
    golden = 0x9E3779B97F4A7C15
    for sample in (0, 1, 59_999):
        start = splitmix64((derive(7, "uniform") + sample * golden) % 2**64)
        expected = [splitmix64((start + place * golden) % 2**64) / 2**64 for place in range(1, 7)]
        drawn = uniform(7, torch.tensor([sample]), (2, 3)).flatten().tolist()
        assert drawn == [int(number * 2**24) / 2**24 for number in expected]


def test_splitmix64_gives_its_published_first_number() -> None:
    assert splitmix64(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # the first output for seed 0


@pytest.mark.parametrize("draw", [uniform, normal])
def test_numbers_do_not_depend_on_the_batch_they_are_asked_for_in(draw) -> None:
    together = draw(3, MANY, (1, 5, 7))
    apart = torch.cat([draw(3, torch.tensor([sample]), (1, 5, 7)) for sample in MANY.tolist()])
    shuffled = MANY.flip(0)
    assert torch.equal(together, apart)
    assert torch.equal(draw(3, shuffled, (1, 5, 7)), together[shuffled])


@pytest.mark.parametrize("draw", [uniform, normal])
def test_another_seed_gives_unrelated_numbers(draw) -> None:
    both = torch.stack([draw(seed, MANY, (100,)).flatten() for seed in (0, 1)])
    assert abs(torch.corrcoef(both)[0, 1].item()) < 0.02  # four deviations of 40,000 numbers


def test_uniform_and_normal_of_one_seed_are_unrelated() -> None:
    both = torch.stack([uniform(0, MANY, (100,)).flatten(), normal(0, MANY, (100,)).flatten()])
    assert abs(torch.corrcoef(both)[0, 1].item()) < 0.02


@pytest.mark.parametrize("draw", [uniform, normal])
def test_neighbouring_places_and_neighbouring_samples_are_unrelated(draw) -> None:
    drawn = draw(0, MANY, (100,))
    for left, right in ((drawn[:, :-1], drawn[:, 1:]), (drawn[:-1], drawn[1:])):
        pair = torch.stack([left.flatten(), right.flatten()])
        assert abs(torch.corrcoef(pair)[0, 1].item()) < 0.02


def test_uniform_fills_the_unit_interval_evenly() -> None:
    drawn = uniform(0, MANY, (250,)).double()
    assert 0 <= drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.004)
    assert drawn.var().item() == pytest.approx(1 / 12, abs=0.001)
    counts = torch.histc(drawn, bins=20, min=0, max=1)
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi squared, 19 degrees, one in a thousand


def test_normal_has_the_moments_and_tails_of_the_standard_normal() -> None:
    drawn = normal(0, MANY, (250,)).double()
    assert drawn.mean().item() == pytest.approx(0, abs=0.013)
    assert drawn.var().item() == pytest.approx(1, abs=0.018)
    assert (drawn**3).mean().item() == pytest.approx(0, abs=0.05)
    assert (drawn**4).mean().item() == pytest.approx(3, abs=0.13)
    assert (drawn.abs() > 1.959964).double().mean().item() == pytest.approx(0.05, abs=0.003)


def test_nothing_touches_or_reads_the_global_stream() -> None:
    before = torch.random.get_rng_state()
    first = (uniform(0, MANY, (3,)), normal(0, MANY, (3,)), torch.rand(3, generator=stream(0, "order", 1)))
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.random.fork_rng():
        torch.manual_seed(99)
        second = (
            uniform(0, MANY, (3,)),
            normal(0, MANY, (3,)),
            torch.rand(3, generator=stream(0, "order", 1)),
        )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_purposes_have_seeds_of_their_own() -> None:
    purposes = [(), ("order",), ("order", 1), ("order", 11), ("order", 1, 1), ("noise", 1)]
    seeds = {derive(seed, *purpose) for seed in range(3) for purpose in purposes}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_shape_without_places_gives_one_number_per_sample() -> None:
    assert uniform(0, MANY, ()).shape == (400,)
    assert torch.equal(uniform(0, MANY, ()), uniform(0, MANY, (1,))[:, 0])


def test_no_samples_give_no_numbers() -> None:
    assert normal(0, MANY[:0], (2, 3)).shape == (0, 2, 3)
