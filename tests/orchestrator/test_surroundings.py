"""Where stages find data sets, and what they log."""

from __future__ import annotations

import logging
import os

import pytest
from toys.judge import Judge

from orchestrator.engine.actor import environment
from orchestrator.stage import DATA


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv(DATA, raising=False)
    yield
    os.environ.pop(DATA, None)  # the command line sets it for the process


@pytest.fixture
def seen(monkeypatch):
    """What the variable says while a stage runs."""
    found = []
    run = Judge.run
    monkeypatch.setattr(
        Judge, "run", lambda self, space: found.append(os.environ.get(DATA)) or run(self, space)
    )
    return found


@pytest.mark.parametrize("words", [("run", "--engine", "inline"), ("debug",)])
def test_the_folder_of_data_sets_is_an_option_of_what_runs_stages(words, command, here, seen):
    (here / "sets").mkdir()
    assert command(words[0], "toy.yaml", *words[1:], "--data", "sets")[0] == 0
    assert set(seen) == {str(here / "sets")}


def test_without_the_option_the_environment_stays_as_it_is(command, here, seen, monkeypatch):
    monkeypatch.setenv(DATA, "elsewhere")
    assert command("debug", "toy.yaml")[0] == 0
    assert set(seen) == {"elsewhere"}


def test_a_folder_that_is_not_there_is_wrong_input(command):
    code, _, err = command("run", "toy.yaml", "--engine", "inline", "--data", "nowhere")
    assert code == 2
    assert err == "--data nowhere: must be a folder that is there\n"


def test_workers_look_where_the_driver_does_whatever_folder_they_run_in(here, monkeypatch):
    assert DATA not in environment(1)
    monkeypatch.setenv(DATA, "sets")
    assert environment(1)[DATA] == str(here / "sets")


def test_people_hear_what_stages_log(command, monkeypatch):
    log = logging.getLogger("sparsweep.data")
    monkeypatch.setattr(Judge, "check", lambda self, reads: log.info("%s: %d %%", "downloading", 40))
    _, _, err = command("debug", "toy.yaml")
    assert "downloading: 40 %\n" in err
