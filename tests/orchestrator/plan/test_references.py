"""Reads: what a reference means, and how the point moves on the way."""

from __future__ import annotations

from universe.telling import results


def test_a_list_role_drops_an_output_only_where_the_same_role_has_it_already(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods:
          m: {x: {stage: make}, model: {stage: step, reads: {model: x}, value: $a}}
        evaluate:
          e: {stage: join, reads: {first: x, models: [x, model, x, model/best, model/best]}}
    """)
    x, model = "make()", "step(value=1, model=make())"
    assert results(plan, "e") == [f"join(first={x}, models=[{x}, {model}, {model}/best])"]
