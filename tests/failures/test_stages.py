"""Stages that fail, sweep files that change between runs, and parents that were made again elsewhere."""

from __future__ import annotations

import pytest

from failures.case import SWEEP, until
from failures.invariants import Undisturbed, tables, violations


def test_a_stage_that_raises_always_costs_what_needs_it_and_is_tried_again_by_the_same_command(
    case, undisturbed
):
    (bad,) = case.addresses("cut.part", level=1, seed=0)
    case.lay(bad, "raise always")
    with case.watched(undisturbed.manifests):
        said = case.run(code=1)
        # its climb, its weight, and the weight of both seeds together
        assert "1 failed; 3 need them and did not run:" in said.err
        assert "cut.part level=1 seed=0\n    RuntimeError: no luck today (the same error twice)" in said.err
        assert f"sparsweep show {bad} --store {case.folder}/results" in said.err
        assert "To try them again:\n  sparsweep run sweep.yaml --engine inline" in said.err
        assert "Traceback" not in said.err
        status = case.json("status")
        assert (status["failed"], status["blocked"]) == (1, 3)
        assert status["done"] == len(undisturbed.manifests) - 4
        case.fix()
        said = case.run()
    assert violations(case, undisturbed, table=said.out) == []
    assert len(case.ledger("ended")) == len(undisturbed.manifests)


def test_stages_that_raise_sometimes_are_done_in_the_same_run(case, undisturbed):
    for address in case.plan.addresses:
        case.lay(address, "raise")
    with case.watched(undisturbed.manifests):
        said = case.run()
    assert len(case.ledger("trouble")) == len(undisturbed.manifests)
    assert "failed" not in said.err
    assert violations(case, undisturbed, table=said.out) == []


EDITED = SWEEP.replace("level: [1, 2]", "level: [3, 2]").replace("seed: [0, 1]", "seed: [0, 2]")
EDITED = EDITED.replace("steps: 20", "steps: 25")


@pytest.mark.parametrize("while_it_runs", [False, True])
def test_a_sweep_file_that_is_edited_keeps_what_it_still_asks_for(make_case, while_it_runs):
    afresh = make_case()
    afresh.write(EDITED)
    edited = Undisturbed.of(afresh)
    case = make_case()
    case.set_pace(0.05)
    with case.watched():
        driver = case.start()
        (kept,) = case.addresses("plain.model", seed=0)
        until(lambda: kept in case.open().done())
        assert driver.alive
        case.set_pace(0.0)
        if while_it_runs:
            case.write(EDITED)
            assert driver.end().code == 0  # with the file as it was
        else:
            driver.kill()
            case.write(EDITED)
        said = case.run()
    assert violations(case, edited, table=said.out) == []
    assert [line["address"] for line in case.ledger("ended")].count(kept) == 1


def test_what_was_made_from_a_parent_that_is_another_now_is_stale(case, undisturbed):
    case.run()
    store = case.open()
    (parent,) = case.addresses("plain.model", seed=0)
    (child,) = case.addresses("plain.alone", seed=0)
    for address in (parent, child):
        store.discard(address)
    case.environment["HARDWARE"] = "another kind of machine"
    begun = len(case.ledger("began"))
    said = case.run()
    assert [line["address"] for line in case.ledger("began")][begun:] == [parent, child]
    assert store.manifest(parent).digest != undisturbed.manifests[parent].digest
    # two cuts with their climbs and weights, and what weighs several seeds together
    stale = [
        *(a for node in ("part", "model", "alone") for a in case.addresses(f"cut.{node}", seed=0)),
        *(a for method in ("cut", "plain") for a in case.addresses(f"{method}.together")),
    ]
    assert len(stale) == 9
    assert case.json("plan")["stale"] == 9
    assert case.json("status")["stale_stages"] == sorted(stale)
    assert "9 are stale: what they were made from has been rebuilt differently since" in case.run("plan").out
    assert "stale" in said.out
    assert "stale" not in undisturbed.table
    # made again, they are no longer: the sweep is as on that machine from the start
    for address in stale:
        store.discard(address)
    said = case.run()
    assert tables(said.out) == undisturbed.table
    assert case.json("plan")["stale"] == 0
