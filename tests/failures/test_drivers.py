"""Drivers that are killed, that meet each other, and whose clock jumps."""

from __future__ import annotations

import time
from random import Random

import pytest

from failures.case import until
from failures.driver import jump
from failures.invariants import left_checkpoints, repeated_steps, violations
from failures.stages.base import MOMENTS

#: So many of the 19 stages two drivers may do both: those that they began before they heard of each other.
#: If they never heard, it would be nearly all.
TWICE = 6


def test_without_any_fault_nothing_is_run_twice(case, undisturbed):
    with case.watched(undisturbed.manifests) as watch:
        case.set_pace(0.005)
        case.run()
    assert len(watch.seen) > 0
    assert violations(case, undisturbed) == []
    assert repeated_steps(case) == 0
    assert left_checkpoints(case) == set()


@pytest.mark.ray
@pytest.mark.slow
def test_a_driver_killed_twenty_times(case, undisturbed):
    """At random moments: 17 times in this process's stead, and three times with the Ray that it started."""
    random = Random(1)
    case.set_pace(0.1)
    with case.watched(undisturbed.manifests):
        for kill in range(20):
            steps = len(case.ledger("step"))
            driver = case.start() if kill % 7 else case.start("--workers", "2", engine="ray", own=True)
            if not kill % 7:
                until(lambda: len(case.ledger("step")) > steps)  # noqa: B023 - called at once
            time.sleep(random.uniform(0.0, 0.8))
            assert driver.alive, driver.read(".err")
            driver.kill()
        case.set_pace(0.0)
        said = case.run()
    assert said.code == 0
    assert violations(case, undisturbed, table=said.out) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_driver_killed_while_it_publishes(case, undisturbed, moment):
    """Every long stage dies at this moment of its publishing, or of its saving."""
    case.set_pace(0.005)
    climbs = [*case.addresses("plain.model"), *case.addresses("cut.model")]
    for address in climbs:
        case.lay(address, moment)
    with case.watched(undisturbed.manifests):
        deaths = 0
        while (said := case.start().end()).code == -9:
            deaths += 1
    assert said.code == 0, said.err
    assert len(case.ledger("trouble")) == len(climbs) == 6
    assert violations(case, undisturbed, table=said.out) == []
    assert left_checkpoints(case) == (set(climbs) if moment == "after the manifest" else set())  # for gc
    again = len(case.ledger("ended")) - len(undisturbed.manifests)
    if moment == "in a checkpoint":  # it is saved beside the work, which may have ended by then
        assert 0 <= again <= deaths
        assert 0 < deaths <= len(climbs)
    else:
        assert deaths == len(climbs)
        assert again == (len(climbs) if "payload" in moment else 0)


def test_two_drivers_at_once(case, undisturbed):
    case.set_pace(0.01)
    with case.watched(undisturbed.manifests):
        drivers = [case.start(), case.start()]
        said = [driver.end() for driver in drivers]
    assert [one.code for one in said] == [0, 0]
    assert said[0].out == said[1].out
    assert violations(case, undisturbed, table=said[0].out, twice=TWICE) == []
    ended = [line["address"] for line in case.ledger("ended")]
    assert len(ended) - len(set(ended)) <= TWICE


def test_one_of_two_drivers_is_killed(case, undisturbed):
    case.set_pace(0.05)
    with case.watched(undisturbed.manifests):
        drivers = [case.start(), case.start()]
        until(lambda: case.ledger("saved"))
        drivers.sort(key=lambda driver: driver.pid != case.ledger("began")[0]["pid"])
        working, other = drivers
        assert working.alive
        working.kill()
        case.set_pace(0.005)
        said = other.end()
    assert said.code == 0
    assert violations(case, undisturbed, table=said.out, twice=TWICE) == []


@pytest.mark.parametrize("after", [0.0, 0.7])
@pytest.mark.parametrize("seconds", [86_400.0, -86_400.0])
def test_the_clock_of_the_host_jumps(case, undisturbed, seconds, after):
    """In the first driver, from its start or while it runs; in the second one the clock is right again."""
    case.set_pace(0.05)
    case.changes = ((jump, seconds, after),)
    with case.watched(undisturbed.manifests):
        driver = case.start()
        # the ledger has the right time, and begins when the clock has jumped or will in 0.7 seconds
        until(lambda: (lines := case.ledger()) and lines[-1]["at"] - lines[0]["at"] > 1.2)
        assert driver.alive
        driver.kill()  # so that the next driver finds a journal, checkpoints and files from another day
        case.changes = ()
        case.set_pace(0.0)
        said = case.run()
    assert violations(case, undisturbed, table=said.out) == []
    status = case.json("status")
    assert (status["state"], status["done"], status["missing"]) == ("done", len(undisturbed.manifests), 0)
