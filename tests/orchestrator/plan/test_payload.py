"""What may be dropped is never missed, nothing is kept for nothing, and what is missed is made again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from orchestrator.plan.payload import Readers, droppable, to_run
from orchestrator.spec import load

DATA = Path(__file__).parents[2] / "data"

CHAIN = """
    axes: {value: [1, 2]}
    methods:
      m:
        base:  {stage: make}
        step:  {stage: step, reads: {model: base}}
        model: {stage: step, reads: {model: step}, value: $value}
"""


def nodes(plan, addresses):
    return sorted(plan.job(plan.id_of(address)).label for address in addresses)


def ids(plan, *labels):
    return {plan.addresses[i] for i in range(len(plan)) if plan.job(i).label in labels}


@pytest.fixture
def chain(sweeps):
    """base <- step <- two models."""
    plan = sweeps.plan(CHAIN)
    assert nodes(plan, plan.addresses) == ["m.base", "m.model value=1", "m.model value=2", "m.step"]
    return plan


def test_nothing_that_is_still_read_can_be_dropped(chain):
    assert droppable(chain, set()) == []
    done = ids(chain, "m.base")
    assert droppable(chain, done) == []
    done |= ids(chain, "m.step")
    assert nodes(chain, droppable(chain, done)) == ["m.base"]
    done |= ids(chain, "m.model value=1")
    assert nodes(chain, droppable(chain, done)) == ["m.base", "m.model value=1"]
    assert nodes(chain, droppable(chain, set(chain.addresses))) == nodes(chain, chain.addresses)


def test_what_was_dropped_is_not_named_again(chain):
    done = ids(chain, "m.base", "m.step")
    assert droppable(chain, done, dropped=ids(chain, "m.base")) == []


def test_a_stage_without_payload_stays_done_until_something_new_reads_it(chain):
    done = set(chain.addresses)
    assert chain.missing(done, dropped=done) == []
    done -= ids(chain, "m.model value=2")
    missing = [chain.addresses[stage] for stage in chain.missing(done, dropped=ids(chain, "m.step"))]
    assert nodes(chain, missing) == ["m.model value=2", "m.step"]
    missing = [
        chain.addresses[stage] for stage in chain.missing(done, dropped=ids(chain, "m.step", "m.base"))
    ]
    assert nodes(chain, missing) == ["m.base", "m.model value=2", "m.step"]
    # that its base was dropped does not matter where the step itself is still there
    missing = [chain.addresses[stage] for stage in chain.missing(done, dropped=ids(chain, "m.base"))]
    assert nodes(chain, missing) == ["m.model value=2"]


def test_what_is_made_again_keeps_what_it_reads(chain):
    done = set(chain.addresses) - ids(chain, "m.model value=2")
    assert nodes(chain, droppable(chain, done, dropped=ids(chain, "m.step"))) == ["m.model value=1"]


def test_only_what_is_read_is_asked_about(chain):
    asked = []

    def find(addresses):
        asked.append(nodes(chain, addresses))
        return addresses

    done = set(chain.addresses) - ids(chain, "m.model value=2")
    missing, again = to_run(chain, done, find)
    assert asked == [["m.step"], ["m.base"]]
    assert nodes(chain, again) == ["m.base", "m.step"]
    assert nodes(chain, [chain.addresses[stage] for stage in missing]) == [
        "m.base",
        "m.model value=2",
        "m.step",
    ]
    asked.clear()
    assert to_run(chain, set(chain.addresses), find) == ([], set())
    assert to_run(chain, set(), find) == (chain.missing(set()), set())
    assert asked == []


def test_what_a_search_tried_can_be_dropped_with_the_search(sweeps):
    plan = sweeps.plan("""
        axes: {seed: [0]}
        methods:
          m:
            base: {stage: make, count: $seed}
            search: {stage: search, try: step, at: {seed: 100}}
            step: {stage: step, reads: {model: base}}
            model: {stage: make, reads: {settings: search}}
    """)
    (search,) = (stage for stage in range(len(plan)) if plan.stage_name(stage) == "search")
    (tried,) = plan.tries(search)
    before = set(plan.addresses[:search]) | {tried}
    assert tried not in droppable(plan, before)
    assert tried in droppable(plan, {*plan.addresses, tried})
    assert tried not in droppable(plan, set(plan.addresses))
    readers = Readers(plan, plan.missing(set()))
    assert tried in [address for stage in plan.missing(set()) for address in readers.finished(stage)]


@pytest.mark.parametrize("name", ["finetune", "moon", "search"])
@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_drops_what_it_can_never_misses_anything_and_keeps_nothing(name, seed):
    plan = load(DATA / f"{name}.yaml", package="universe.stages").plan()
    chance = random.Random(f"{name} {seed}")
    # some of it was done before and of that some was dropped
    done = {address for address in plan.addresses if chance.random() < 0.3 * seed}
    lost = {address for address in done if chance.random() < 0.5}
    missing, _ = to_run(plan, done, lambda addresses: lost & set(addresses))
    assert missing == plan.missing(done, lost)
    payloads = done - lost
    readers = Readers(plan, missing)
    payloads -= set(droppable(plan, done, lost))
    left = set(missing)
    checked = 0
    while left:
        ready = [s for s in sorted(left)[:50] if not any(parent in left for parent in plan.parents(s))]
        stage = chance.choice(ready)
        assert all(plan.addresses[parent] in payloads for parent in plan.parents(stage))
        left.discard(stage)
        done.add(plan.addresses[stage])
        lost.discard(plan.addresses[stage])
        payloads.add(plan.addresses[stage])
        free = set(readers.finished(stage)) & payloads
        if checked < 20:  # the walk over the whole plan says the same; it is slow
            checked += 1
            assert free == set(droppable(plan, done, done - payloads))
        payloads -= free
    assert payloads == set()
