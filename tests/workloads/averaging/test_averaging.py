"""When weights are taken into an average, and by how much; which weights a step leaves out."""

from __future__ import annotations

import pytest
import torch

from orchestrator.build import build, names
from workloads.averaging.base import Averaging
from workloads.averaging.cigl import Cigl
from workloads.averaging.ema import Ema
from workloads.averaging.last import Last
from workloads.averaging.moon import Moon
from workloads.averaging.swa import Swa

WINDOWS = sorted(set(names(Averaging)) - {"last"})


def taken(averaging, epochs, per_epoch):
    steps = epochs * per_epoch
    return [step for step in range(1, steps + 1) if averaging.due(step, steps, per_epoch)]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(("epochs", "per_epoch"), [(1, 1), (1, 7), (2, 9), (30, 3), (100, 391)])
@pytest.mark.parametrize("begin", [0, 0.07, 0.75, 0.8, 0.99])
def test_nothing_is_taken_before_the_window_begins_and_always_the_last(name, epochs, per_epoch, begin):
    averaging = build(Averaging, {"name": name, "begin": begin})
    steps = epochs * per_epoch
    found = taken(averaging, epochs, per_epoch)
    assert min(found) >= begin * steps - 1e-6
    assert averaging.begins == begin
    if not (name == "moon" and averaging.snapshots == "first_tenth"):
        assert max(found) == steps


def test_nothing_is_ever_taken_where_the_last_weights_are_kept():
    assert taken(Last(), 10, 10) == []


def test_an_average_over_epochs_takes_the_ends_of_epochs_from_the_published_shares_on():
    assert taken(Swa(), 8, 10) == [60, 70, 80]
    assert taken(Cigl(), 250, 2) == list(range(400, 501, 2))
    assert taken(Moon(), 100, 391) == [391 * epoch for epoch in range(80, 101)]
    assert taken(Swa(begin=0.07), 100, 1)[0] == 7  # 0.07 * 100 is 7.000000000000001


def test_the_repository_of_moon_takes_the_first_tenth_of_the_steps_of_each_later_epoch():
    found = taken(Moon(snapshots="first_tenth"), 100, 391)
    assert found[0] == 80 * 391
    later = [epoch * 391 + place for epoch in range(80, 100) for place in range(1, 40)]
    assert found[1:] == later
    assert len(found) == 781


def test_ten_moments_of_an_epoch_lie_evenly_and_end_with_it():
    found = taken(Moon(begin=0.5, snapshots="ten_per_epoch"), 2, 40)
    assert found == [40, *range(44, 81, 4)]
    assert len(taken(Moon(snapshots="ten_per_epoch"), 100, 391)) == 1 + 20 * 10
    assert taken(Moon(begin=0.5, snapshots="ten_per_epoch"), 2, 4) == [4, 5, 6, 7, 8]


def test_a_moving_average_takes_every_step_and_starts_as_a_plain_mean():
    ema = Ema(begin=0.5, decay=0.9)
    assert taken(ema, 2, 5) == [5, 6, 7, 8, 9, 10]
    assert [ema.share(count) for count in (0, 1, 4, 9, 10, 1000)] == pytest.approx(
        [1, 0.5, 0.2, 0.1, 0.1, 0.1]
    )


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("begin", [-0.1, 1])
def test_a_window_outside_the_training_is_refused(name, begin):
    with pytest.raises(Exception, match="begin is a fraction of the training"):
        build(Averaging, {"name": name, "begin": begin})


def weights_and_masks():
    weights = {"a": torch.ones(100, 100), "b": torch.ones(50, 50)}
    return weights, {"a": torch.arange(10_000).view(100, 100) % 4 == 0}


def test_only_weights_that_exist_are_left_out_and_about_as_many_as_asked():
    weights, masks = weights_and_masks()
    factors = Cigl(drop=0.1).factors(weights, masks, seed=1)
    assert (factors["a"][~masks["a"]] == 1).all()
    for name, places in (("a", masks["a"]), ("b", torch.ones(50, 50, dtype=torch.bool))):
        found = factors[name][places]
        assert set(found.tolist()) == {0.0, 1.0}
        assert abs(float((found == 0).double().mean()) - 0.1) < 4 * (0.1 * 0.9 / 2500) ** 0.5


def test_what_is_left_out_belongs_to_the_step_and_the_layer():
    weights, masks = weights_and_masks()
    one, same, other = (Cigl().factors(weights, masks, seed)["b"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    twins = Cigl().factors({"b": torch.ones(50, 50), "c": torch.ones(50, 50)}, {}, 1)
    assert not torch.equal(twins["b"], twins["c"])


def test_what_is_kept_is_scaled_up_only_if_asked():
    weights, masks = weights_and_masks()
    assert Cigl(drop=0.2, rescale=True).factors(weights, masks, 0)["b"].max() == 1.25
    assert Cigl(drop=0.2).factors(weights, masks, 0)["b"].max() == 1
    assert Moon().factors(weights, masks, 0) == {}
    quirks = Moon(repository_quirks=True).factors(weights, masks, 0)["b"]
    assert quirks.max().item() == pytest.approx(100 / 99)
    assert 0 < int((quirks == 0).sum()) < 60  # of 2,500 about 25


@pytest.mark.parametrize(("kind", "fields"), [(Cigl, {"drop": 1}), (Ema, {"decay": 1}), (Ema, {"decay": 0})])
def test_a_value_out_of_range_is_refused_with_its_name(kind, fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        kind(**fields)
