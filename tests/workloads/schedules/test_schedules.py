"""Every schedule: finite factors that never jump; then the values of each, by hand and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim import lr_scheduler

from orchestrator.build import build, names
from workloads.schedules.base import Schedule
from workloads.schedules.constant import Constant
from workloads.schedules.cosine import Cosine
from workloads.schedules.moon import Moon
from workloads.schedules.one_cycle import OneCycle
from workloads.schedules.steps import Steps
from workloads.schedules.warmup import Warmup

#: Steps of the trainings that are compared with torch.
STEPS = 100


@pytest.mark.parametrize("name", names(Schedule))
def test_a_schedule_is_finite_never_negative_and_falls_once_it_has_risen(name):
    schedule = build(Schedule, name)
    factors = [schedule.factor(step / 1000) for step in range(1000)]
    assert all(math.isfinite(factor) and factor >= 0 for factor in factors)
    assert 1 <= max(factors) < 1.5
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def rates(make):
    """The rates that torch's scheduler ``make`` gives to the steps of a training with the rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


def factors(schedule):
    return [schedule.factor(step / STEPS) for step in range(STEPS)]


def test_cosine_is_that_of_torch():
    expected = rates(lambda made: lr_scheduler.CosineAnnealingLR(made, STEPS, eta_min=0.1))
    assert factors(Cosine(floor=0.1)) == pytest.approx(expected)


def test_steps_are_those_of_torch():
    expected = rates(lambda made: lr_scheduler.MultiStepLR(made, [30, 80], gamma=0.2))
    assert factors(Steps(milestones=(0.3, 0.8), gamma=0.2)) == pytest.approx(expected)


def sequence(made, then, start, length):
    # torch's linear warm-up must not begin at zero, and refuses a factor below.
    rise = lr_scheduler.LinearLR(made, start, 1.0, total_iters=length)
    return lr_scheduler.SequentialLR(made, [rise, then(made)], [length])


# torch's own sequence calls its parts in a way it warns of.
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize(
    ("then", "of_torch"),
    [
        (Cosine(), lambda made: lr_scheduler.CosineAnnealingLR(made, STEPS - 20)),
        (Steps(milestones=(0.5,)), lambda made: lr_scheduler.MultiStepLR(made, [(STEPS - 20) // 2])),
        (Constant(), lambda made: lr_scheduler.ConstantLR(made, 1.0)),
    ],
)
def test_a_warm_up_before_a_schedule_is_a_sequence_of_torch(then, of_torch):
    expected = rates(lambda made: sequence(made, of_torch, 0.1, 20))
    assert factors(Warmup(share=0.2, start=0.1, then=then)) == pytest.approx(expected)


def test_a_warm_up_of_a_cosine_is_the_one_that_cosine_has_itself():
    assert factors(Warmup(share=0.2)) == pytest.approx(factors(Cosine(warmup=0.2)))


def test_a_warm_up_ends_where_its_schedule_begins():
    schedule = Warmup(share=0.1, then=Moon(start=1.2))
    assert [schedule.factor(progress) for progress in (0.0, 0.05, 0.1)] == pytest.approx([0, 0.6, 1.2])
    assert schedule.factor(0.1 + 0.9 * 0.8) == pytest.approx(0.08)


def test_one_cycle_is_that_of_torch():
    # torch reaches the top at step 0.3 * 100 - 1 and the end at step 99: its places as ours.
    expected = rates(lambda made: lr_scheduler.OneCycleLR(made, 1.0, total_steps=STEPS, pct_start=0.3))
    places = [0.3 * step / 29 if step <= 29 else 0.3 + 0.7 * (step - 29) / 70 for step in range(STEPS)]
    assert [OneCycle().factor(place) for place in places] == pytest.approx(expected)


def test_one_cycle_rises_to_the_full_rate_and_falls_to_its_end():
    schedule = OneCycle(rise=0.25, start=0.2, end=0.1)
    found = [schedule.factor(progress) for progress in (0.0, 0.125, 0.25, 0.625, 1.0)]
    assert found == pytest.approx([0.2, 0.6, 1, 0.55, 0.1])


def test_moon_falls_over_the_first_phase_and_stays_over_the_second():
    # 100 epochs at the rate 0.1: from 0.12 to 0.008 over 80 of them, half of the way at 40.
    found = [0.1 * Moon().factor(epoch / 100) for epoch in (0, 20, 40, 80, 90, 99)]
    quarter = 0.008 + 0.112 * (1 + math.sqrt(0.5)) / 2
    assert found == pytest.approx([0.12, quarter, 0.064, 0.008, 0.008, 0.008])


def test_the_first_phase_of_moon_is_a_cosine_of_torch():
    expected = rates(lambda made: lr_scheduler.CosineAnnealingLR(made, 80, eta_min=0.05))
    found = factors(Moon(start=1.0, end=0.05, begin=0.8))
    assert found[:80] == pytest.approx(expected[:80])
    assert set(found[80:]) == {0.05}


def test_cosine_is_half_way_down_at_half_time_and_ends_at_its_floor():
    assert math.isclose(Cosine().factor(0.5), 0.5)
    assert math.isclose(Cosine(floor=0.2).factor(0.5), 0.6)
    assert math.isclose(Cosine(floor=0.2).factor(1.0), 0.2)


def test_cosine_warms_up_linearly_and_then_falls_over_the_rest():
    schedule = Cosine(warmup=0.2)
    assert [schedule.factor(progress) for progress in (0.0, 0.1, 0.2)] == [0, 0.5, 1]
    assert math.isclose(schedule.factor(0.6), 0.5)


def test_steps_falls_at_each_milestone():
    schedule = Steps(milestones=(0.5, 0.75), gamma=0.1)
    found = [schedule.factor(progress) for progress in (0.0, 0.49, 0.5, 0.74, 0.75, 0.99)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"name": "cosine", "floor": 1.5}, "floor must be in"),
        ({"name": "cosine", "warmup": 1}, "warmup is a fraction"),
        ({"name": "steps", "milestones": [0.7, 0.5]}, "milestones are rising fractions"),
        ({"name": "steps", "milestones": [30, 60]}, "milestones are rising fractions"),
        ({"name": "steps", "gamma": 0}, "gamma must be positive"),
        ({"name": "one_cycle", "rise": 0}, "rise is a fraction"),
        ({"name": "one_cycle", "start": 2}, "start must be in"),
        ({"name": "one_cycle", "end": -1}, "end must be in"),
        ({"name": "moon", "start": 0}, "start must be positive"),
        ({"name": "moon", "end": 0}, "end must be positive"),
        ({"name": "moon", "begin": 0}, "begin is a fraction"),
        ({"name": "warmup", "share": 1}, "share is a fraction"),
        ({"name": "warmup", "start": -1}, "start must not be negative"),
        ({"name": "warmup", "then": "cosin"}, "then: unknown schedule 'cosin'"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Schedule, data)
