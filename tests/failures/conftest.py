"""The sweep without any fault, and cases of it on a folder and on an S3 server."""

from __future__ import annotations

import itertools

import pytest

from failures.case import STAGES, Case
from failures.invariants import Undisturbed, tables


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """What the sweep comes to when nothing goes wrong."""
    case = Case(tmp_path_factory.mktemp("undisturbed"))
    said = case.run()
    manifests = case.open().manifests(case.plan.addresses)
    assert len(manifests) == len(case.plan) == STAGES
    assert said.out.count("(n=1)") == said.out.count("±") - 2 == 4  # two headings have one too
    return Undisturbed(tables(said.out), manifests)


@pytest.fixture
def make_case(tmp_path):
    """Makes cases; their drivers do not outlive the test."""
    made, numbers = [], itertools.count()

    def make(**given):
        made.append(Case(tmp_path / f"case-{next(numbers)}", **given))
        return made[-1]

    yield make
    for case in made:
        case.end()


@pytest.fixture
def case(make_case):
    """A case on a folder."""
    return make_case()
