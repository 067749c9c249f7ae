"""Which trouble a stage may try again after, and how often."""

from __future__ import annotations

import pytest

from orchestrator.engine.retry import Ledger
from orchestrator.spec.sweep import Retries


def tries(ledger, trouble, **options):
    """How often stage 0 may try again before it is given up."""
    count = 0
    while ledger.judge(0, trouble, "why", **options).again:
        count += 1
        assert count < 100
    return count


@pytest.mark.parametrize(
    ("trouble", "again"),
    [("error", 1), ("system", 3), ("timeout", 3), ("lost", 3), ("rejected", 0), ("memory", 1)],
)
def test_each_trouble_has_its_own_number_of_retries(trouble, again):
    assert tries(Ledger(Retries(system=3, error=1)), trouble) == again


def test_no_retries_means_the_first_trouble_is_the_last():
    ledger = Ledger(Retries(system=0, error=0))
    assert not ledger.judge(0, "error", "why").again
    assert not ledger.judge(0, "system", "why").again


def test_standing_still_and_dying_spend_the_same_budget():
    ledger = Ledger(Retries(system=2, error=1))
    assert ledger.judge(0, "timeout", "why").again
    assert ledger.judge(0, "system", "why").again
    assert not ledger.judge(0, "timeout", "why").again


def test_a_death_does_not_spend_the_retries_of_an_error():
    ledger = Ledger(Retries(system=1, error=1))
    assert ledger.judge(0, "system", "why").again
    assert ledger.judge(0, "error", "why").again


def test_each_stage_has_its_own_budget():
    ledger = Ledger(Retries(system=1, error=1))
    assert not [ledger.judge(0, "error", "why") for _ in range(2)][-1].again
    assert ledger.judge(1, "error", "why").again


def test_a_stage_out_of_gpu_memory_is_tried_once_more_alone():
    ledger = Ledger(Retries())
    assert not ledger.is_alone(0)
    first = ledger.judge(0, "memory", "why", on_gpu=True)
    assert first.again
    assert ledger.is_alone(0)
    second = ledger.judge(0, "memory", "why", on_gpu=True)
    assert (second.again, second.cause) == (False, "memory")


def test_the_same_error_twice_is_said_so():
    ledger = Ledger(Retries(error=2))
    assert not ledger.judge(0, "error", "ValueError: a").repeated
    assert ledger.judge(0, "error", "ValueError: a").repeated
    assert not ledger.judge(0, "error", "ValueError: b").repeated


def test_a_store_that_is_away_for_ten_minutes_is_waited_for_with_growing_pauses():
    ledger = Ledger(Retries(system=0, error=0))
    verdicts = [ledger.judge(0, "store", "why") for _ in range(15)]
    pauses = [verdict.pause_seconds for verdict in verdicts if verdict.again]
    assert pauses[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert sum(pauses) >= 500
    assert not verdicts[-1].again
