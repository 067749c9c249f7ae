"""Circles in `reads` are found on (node, point), and long chains are no circles."""

from __future__ import annotations

import pytest
from universe.telling import results


def test_a_circle_is_one_problem_that_names_its_nodes_and_not_the_way_to_it(sweeps):
    assert sweeps.problems("""
        axes: {a: [1, 2]}
        methods:
          m:
            y: {stage: step, reads: {model: x}}
            x: {stage: step, reads: {model: y}}
            model: {stage: step, reads: {model: x}, value: $a}
        evaluate: {e: {stage: judge, reads: {model: model}}}
    """) == ["methods.m.x: reads itself in a circle: m.x -> m.y -> m.x"]


@pytest.mark.parametrize("entry", ["x", "y"])
def test_a_circle_is_named_the_same_wherever_it_is_entered(sweeps, entry):
    assert sweeps.problems(f"""
        axes: {{a: [1, 2]}}
        methods:
          m:
            model: {{stage: step, reads: {{model: {entry}}}}}
            x: {{stage: step, reads: {{model: y}}, value: $a}}
            y: {{stage: step, reads: {{model: x}}}}
    """) == ["methods.m.x: reads itself in a circle at a=1: m.x -> m.y -> m.x"]


def test_a_node_that_reads_itself_at_another_point_is_no_circle(sweeps):
    plan = sweeps.plan("""
        axes: {round: [0, 1, 2]}
        methods:
          m:
            model:
              - {when: {round: 0}, stage: make}
              - {stage: step, reads: {model: "model@{round: -1}"}}
    """)
    assert results(plan) == ["make()", "step(model=make())", "step(model=step(model=make()))"]


def test_a_circle_through_several_points_of_one_node_names_the_points(sweeps):
    assert sweeps.problems("""
        axes: {a: [1, 2], b: [1, 2]}
        exclude: [{a: 1, b: 1}, {a: 2, b: 2}]
        methods:
          m: {model: {stage: step, reads: {model: "model@{a: $b, b: $a}"}, value: [$a, $b]}}
    """) == [
        "methods.m.model: reads itself in a circle: "
        "m.model at a=1, b=2 -> m.model at a=2, b=1 -> m.model at a=1, b=2"
    ]


def test_a_node_that_uses_itself_through_another_is_a_circle(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods:
          m:
            x: [{when: {a: 1}, use: model}, {stage: make, value: $a}]
            model: [{when: {a: 1}, use: x}, {stage: make}]
    """) == ["methods.m.model[0]: reads itself in a circle at a=1: m.model -> m.x -> m.model"]


def test_a_search_of_a_node_that_reads_the_search_at_the_same_point_is_a_circle(sweeps):
    assert sweeps.problems("""
        axes: {a: [0, 1]}
        methods:
          m:
            search: {stage: search, try: model}
            model:  {stage: make, reads: {settings: search}, value: $a}
    """) == ["methods.m.search: reads itself in a circle at a=0: m.search -> m.search"]


def test_a_chain_of_two_thousand_rounds_is_planned_without_recursion(sweeps):
    plan = sweeps.plan("""
        axes: {round: [0, 2000]}
        methods:
          m:
            cut: {stage: step, reads: {model: "model@{round: -1}"}}
            model:
              - {when: {round: 0}, stage: make}
              - {stage: step, reads: {model: cut}, count: $round}
    """)
    assert len(plan.trials) == 2
    assert len(plan) == 1 + 2 * 2000
    assert len(plan.missing(set())) == len(plan)
    assert plan.chains() == 1 + len(plan)
