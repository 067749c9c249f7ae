"""Commands in this process, on the toy sweep."""

from __future__ import annotations

import functools

import pytest
from toys.base import write

from orchestrator.cli import main
from orchestrator.spec import load


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the toy sweep, to run commands in; toys are found by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("orchestrator.cli.asked.load", functools.partial(load, package="toys"))
    write(tmp_path)
    return tmp_path


@pytest.fixture
def command(here, capsys):
    """Runs a command: its exit code, stdout and stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def ran(command):
    assert command("run", "toy.yaml", "--engine", "inline")[0] == 0
    return command
