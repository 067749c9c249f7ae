"""`all` and lists in a reference: which points they stand for, and in which order."""

from __future__ import annotations

import pytest
from universe.telling import results

MEMBERS = """
    axes: {a: [2, 10, 1], seed: [1, 0]}
    methods: {m: {model: {stage: make, value: $a, count: $seed}}}
    evaluate: {e: {stage: join, reads: {models: "%s"}}}
"""


def made(value, seed):
    return f"make(value={value}, count={seed})" if seed else f"make(value={value})"


def test_all_reads_the_values_of_an_axis_in_their_order_not_in_that_of_the_file(sweeps):
    plan = sweeps.plan(MEMBERS % "model@{seed: all}")
    assert results(plan, "e")[0] == f"join(models=[{made(2, 0)}, {made(2, 1)}])"
    assert plan.nodes()["m.e"] == ("a",)
    assert len(plan) == 6 + 3


def test_two_axes_may_be_gathered_and_stand_in_the_order_of_the_names_of_the_axes(sweeps):
    plan = sweeps.plan(MEMBERS % "model@{seed: all, a: all}")
    expected = ", ".join(made(a, seed) for a in (1, 2, 10) for seed in (0, 1))
    assert set(results(plan, "e")) == {f"join(models=[{expected}])"}
    assert plan.nodes()["m.e"] == ()
    assert len(plan) == 6 + 1


def test_a_list_in_a_reference_reads_its_values_in_their_order(sweeps):
    plan = sweeps.plan(MEMBERS % "model@{a: [10, 1, 3]}")
    assert results(plan, "e")[0] == f"join(models=[{made(1, 1)}, {made(3, 1)}, {made(10, 1)}])"


METHODS = """
    axes: {method: [%s], seed: [1, 0]}
    methods:
      z: {model: {stage: make, value: z, count: $seed}}
      b: {model: {stage: make, value: b}}
      never: {model: {stage: make, value: never}}
    evaluate: {e: {stage: join, reads: {models: "model@{method: all, seed: all}"}}}
"""


@pytest.mark.parametrize("listed", ["z, b", "b, z"])
def test_the_methods_are_an_axis_that_can_be_gathered(sweeps, listed):
    plan = sweeps.plan(METHODS % listed)
    expected = "join(models=[make(value='b'), make(value='z'), make(value='z', count=1)])"
    assert set(results(plan, "e")) == {expected}


@pytest.mark.parametrize("pin", ["a: all", "a: [1, 2]"])
def test_a_role_that_reads_one_output_refuses_several(sweeps, pin):
    problems = sweeps.problems(f"""
        axes: {{a: [1, 2]}}
        methods: {{m: {{model: {{stage: make, value: $a}}}}}}
        evaluate: {{e: {{stage: judge, reads: {{model: "model@{{{pin}}}"}}}}}}
    """)
    assert problems == [
        f"evaluate.e.reads.model: the role 'model' reads one output, and model@{{{pin}}} stands for 2"
    ]
