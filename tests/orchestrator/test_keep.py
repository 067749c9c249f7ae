"""Commands on a sweep that keeps its numbers only."""

from __future__ import annotations

import json

from toys.base import TOY, UNIQUE, write

from orchestrator.storage import open_store

KEEP = TOY.replace("name: toy\n", "name: toy\nkeep: metrics\n")


def files(here):
    return list((here / "results").glob("payload/*/*/*"))


def plan_of(command):
    return json.loads(command("plan", "toy.yaml", "--json")[1])


def test_the_tables_are_the_same_and_the_files_are_gone(command, here):
    code, table, _ = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    assert files(here)
    write(here, KEEP)
    code, again, err = command("run", "toy.yaml", "--engine", "inline")
    assert (code, again) == (0, table)
    assert "Nothing to run" in err
    assert "dropped the files of 15 outputs" in err  # 3 dense networks, 6 cuts, 6 models; a judge has none
    assert files(here) == []
    assert (plan_of(command)["done"], plan_of(command)["missing"]) == (UNIQUE, 0)
    assert command("run", "toy.yaml", "--engine", "inline")[:2] == (0, table)


def test_a_part_of_a_sweep_drops_nothing_and_the_whole_does(command, here):
    write(here, KEEP)
    command("run", "toy.yaml", "--engine", "inline", "--where", "seed=0")
    assert len(files(here)) == 5
    command("debug", "toy.yaml", "--where", "seed=1", "--where", "method=dense")
    assert len(files(here)) == 6
    command("run", "toy.yaml", "--engine", "inline")
    assert files(here) == []
    assert len(open_store(here / "results").done()) == UNIQUE


def test_an_extended_sweep_says_what_it_makes_once_more(command, here):
    write(here, KEEP)
    command("run", "toy.yaml", "--engine", "inline")
    write(here, KEEP.replace("scale: [0.1, 0.2]", "scale: [0.1, 0.2, 0.3]"))
    # a judge for each of 9 networks, of them 6 read a cut and that a dense network
    assert plan_of(command)["missing"] == 9 + 9 + 6
    code, _, err = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    assert f"{UNIQUE:,} were found done" in err
    assert "24 to run" in err
    assert "15 of them are made once more" in err
    assert files(here) == []
