"""Every schedule: finite, bounded factors; then the values of each."""

from __future__ import annotations

import math

import pytest

from orchestrator.build import build, names
from workloads.schedules.base import Schedule
from workloads.schedules.cosine import Cosine
from workloads.schedules.steps import Steps


@pytest.mark.parametrize("name", names(Schedule))
def test_a_schedule_starts_at_the_full_rate_and_stays_between_zero_and_it(name):
    schedule = build(Schedule, name)
    factors = [schedule.factor(step / 100) for step in range(100)]
    assert factors[0] == 1
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors == sorted(factors, reverse=True)


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
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Schedule, data)
