"""Outputs that are damaged after they were written: found when they are needed, and made again."""

from __future__ import annotations

import re

import pytest

from failures.damage import (
    change_a_number,
    empty_the_manifest,
    flip_a_byte,
    take_the_payload,
    tear_the_manifest,
    truncate,
)
from failures.invariants import violations

DAMAGES = (flip_a_byte, truncate, take_the_payload, tear_the_manifest, empty_the_manifest)


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def case(request):
    """A case on each kind of store."""
    if request.param == "folder":
        return request.getfixturevalue("make_case")()
    return request.getfixturevalue("on_s3")()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_output_is_made_again_where_it_is_needed(case, undisturbed, tmp_path, damage):
    case.run()
    if "TMPDIR" in case.environment:  # another machine: one that has whole copies goes on with them
        case.environment["TMPDIR"] = str(tmp_path / "another")
        (tmp_path / "another").mkdir()
    store = case.open()
    (damaged,) = case.addresses("cut.part", level=1, seed=0)
    needed_by = [*case.addresses("cut.model", level=1, seed=0), *case.addresses("cut.alone", level=1, seed=0)]
    damage(store, damaged)
    for address in needed_by:
        store.discard(address)
    begun = len(case.ledger("began"))
    said = case.run()
    # exactly what is missing, and the damaged one where it was found out
    assert {line["address"] for line in case.ledger("began")[begun:]} == {damaged, *needed_by}
    assert said.code == 0
    made_again = [damaged, *needed_by]
    assert violations(case, undisturbed, table=said.out, made_again=made_again) == []


@pytest.mark.parametrize("damage", [tear_the_manifest, empty_the_manifest, change_a_number])
def test_numbers_that_are_damaged_are_in_no_table_and_come_again(make_case, undisturbed, damage):
    case = make_case()
    case.run()
    (damaged,) = case.addresses("cut.alone", level=1, seed=0)
    damage(case.open(), damaged)
    begun = len(case.ledger("began"))
    said = case.run()
    assert [line["address"] for line in case.ledger("began")[begun:]] == [damaged]
    assert violations(case, undisturbed, table=said.out, made_again=[damaged]) == []


def test_store_verify_finds_a_flipped_byte_and_the_next_run_mends_it(case, undisturbed):
    """As a user types it, with the place of the store from the sweep file."""
    case.run()
    said = case.run("store", "verify", own=True)
    assert (said.out, "; 0 damaged." in said.err) == ("", True)
    (damaged,) = case.addresses("plain.model", seed=0)
    flip_a_byte(case.open(), damaged)
    said = case.run("store", "verify", code=1, own=True)
    assert re.fullmatch(
        rf"{damaged}  climb  state has sha256 [0-9a-f]{{64}} instead of [0-9a-f]{{64}}\n", said.out
    )
    assert f": {len(undisturbed.manifests)} outputs and 0 checkpoints checked, " in said.err
    assert "; 1 damaged.\n" in said.err
    assert "The same command with --quarantine takes it out of the store" in said.err
    assert case.run("store", "verify", "--quarantine", code=1).out == said.out
    begun = len(case.ledger("began"))
    table = case.run().out
    assert [line["address"] for line in case.ledger("began")[begun:]] == [damaged]
    case.run("store", "verify")
    assert violations(case, undisturbed, table=table, made_again=[damaged]) == []
