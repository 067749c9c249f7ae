"""The exception tree, and sentences for what does not exist."""

from __future__ import annotations

import pytest

from orchestrator import errors
from orchestrator.errors import InputError, OrchestratorError, Problem, SpecError, unknown


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn = {}
    parents = {}
    for line in errors.__doc__.split("\n")[2:]:
        if line.strip():
            name = line.strip("│├└─ ").split()[0]
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
            parents[depth] = name
            drawn[name] = parents.get(depth - 1)
    assert len(drawn) == 8
    found = {
        name: kind.__base__.__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert {name: parent or "Exception" for name, parent in drawn.items()} == found


def test_one_except_catches_everything():
    with pytest.raises(OrchestratorError):
        raise SpecError([Problem("here", "is wrong")])


def test_a_problem_is_a_place_and_a_sentence():
    assert str(Problem("x.yaml: a.b", "must be text, got 3")) == "x.yaml: a.b: must be text, got 3"
    assert str(Problem("", "must be text, got 3")) == "must be text, got 3"


def test_a_spec_error_says_each_problem_once_in_their_order():
    problems = [Problem("b", "1"), Problem("a", "2"), Problem("b", "1")]
    error = SpecError(problems)
    assert isinstance(error, InputError)
    assert list(error.problems) == problems[:2]
    assert str(error) == "b: 1\na: 2"


@pytest.mark.parametrize(
    ("given", "known", "sentence"),
    [
        (
            "magnitud",
            ["snip", "magnitude"],
            "unknown thing 'magnitud'. Did you mean 'magnitude'? Known: magnitude, snip",
        ),
        ("x", ["snip", "magnitude"], "unknown thing 'x'. Known: magnitude, snip"),
        ("x", [], "unknown thing 'x'. Known: none"),
        (3, ["a"], "unknown thing 3. Known: a"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all(given, known, sentence):
    assert unknown("thing", given, known) == sentence


def test_a_known_name_is_listed_once():
    assert unknown("axis", "c", ["b", "a", "b"]) == "unknown axis 'c'. Known: a, b"
