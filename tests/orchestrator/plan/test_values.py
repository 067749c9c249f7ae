"""Values: `$axis`, `$$`, mappings, fractions, and how they are shown and cast."""

from __future__ import annotations

import pytest
from universe.telling import points, results


def test_a_dollar_stands_for_the_value_of_an_axis_at_any_depth_as_a_whole_scalar_only(sweeps):
    plan = sweeps.plan("""
        axes: {a: [{name: b, deep: [1]}]}
        methods: {m: {model: {stage: make, value: [$a, {x: {y: $a}}, "x$a", "$$a", "$$", "a$"]}}}
    """)
    value = {"name": "b", "deep": [1]}
    (built,) = (plan.job(0).fields,)
    assert built["value"] == [value, {"x": {"y": value}}, "x$a", "$a", "$", "a$"]


def test_two_dollars_in_the_values_of_an_axis_are_one(sweeps):
    plan = sweeps.plan("""
        axes: {a: [$$x, {name: b, cost: $$y}, z]}
        exclude: [{a: z}]
        methods: {m: {model: [{when: {a: $$x}, stage: make, value: $a}, {stage: make, value: $a, count: 1}]}}
    """)
    assert points(plan) == [{"a": "$x"}, {"a": "b(cost=$y)"}]
    assert results(plan) == ["make(value='$x')", "make(value={'name': 'b', 'cost': '$y'}, count=1)"]


def test_the_method_is_an_axis_like_any_other(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods:
          m: {model: {stage: make, value: $a, text: $method}}
          n: {model: {stage: make, text: $method}}
    """)
    assert results(plan) == ["make(value=1, text='m')", "make(text='n')"]


def test_a_mapping_is_shown_as_its_name_and_the_given_fields_and_stays_a_mapping(sweeps):
    plan = sweeps.plan("""
        axes: {a: [{name: wide, depth: 22, on: {name: x, y: [1, 2]}}, {lr: 0.1}, [1, 2], null, true]}
        methods: {m: {model: {stage: make, value: $a}}}
    """)
    shown = ["wide(depth=22, on=x(y=[1, 2]))", "(lr=0.1)", "[1, 2]", "none", True]
    assert [point["a"] for point in points(plan)] == shown
    assert plan.job(0).fields["value"] == {"name": "wide", "depth": 22, "on": {"name": "x", "y": [1, 2]}}


def test_a_fraction_is_a_number_and_is_shown_as_written(sweeps):
    plan = sweeps.plan("""
        axes: {epsilon: [8/255, 0.1, 1/2]}
        exclude: [{epsilon: 0.5}]
        methods: {m: {model: {stage: make, number: $epsilon, attack: {name: fgsm, epsilon: $epsilon}}}}
    """)
    assert points(plan) == [{"epsilon": "8/255"}, {"epsilon": 0.1}]
    assert results(plan)[0] == f"make(number={8 / 255}, attack=Fgsm(epsilon={8 / 255}))"
    assert plan.job(0).label == "m.model epsilon=8/255"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("[1, 1.0]", "1 and 1.0"),
        ("[0.5, 1/2]", "0.5 and '1/2'"),
        ("[x, {name: x}]", "'x' and {'name': 'x'}"),
        ("[{a: 1, b: 2}, {b: 2.0, a: 1}]", "{'a': 1, 'b': 2} and {'b': 2.0, 'a': 1}"),
        ("[0.0, -0.0]", "0.0 and -0.0"),
    ],
)
def test_two_equal_values_of_an_axis_are_refused(sweeps, values, said):
    assert sweeps.problems(f"""
        axes: {{a: {values}}}
        methods: {{m: {{model: {{stage: make, value: $a}}}}}}
    """) == [f"axes.a: the values {said} are equal; list a value once"]


def test_true_is_not_one_and_text_is_no_number(sweeps):
    plan = sweeps.plan("""
        axes: {a: [true, 1, "1", "true"]}
        methods: {m: {model: {stage: make, value: $a}}}
    """)
    assert len(set(plan.addresses)) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("number: 1", "number: 1.0"),
        ("number: 1e-3", "number: 0.001"),
        ("number: 0.0", "number: -0.0"),
        ("number: 0.5", "number: 1/2"),
        ("count: 2", "count: 2.0"),
        ("items: [1, 2]", "items: [1.0, 2]"),
        ("attack: fgsm", "attack: {name: fgsm}"),
        ("attack: pgd", "attack: {steps: 10, name: pgd, epsilon: 0.3}"),
        ("number: 0", "count: 0"),
    ],
)
def test_values_are_cast_to_the_declared_type_before_hashing(sweeps, one, other):
    text = "axes: {a: [1]}\nmethods: {m: {model: {stage: make, value: $a, %s}}}"
    assert sweeps.plan(text % one).addresses == sweeps.plan(text % other).addresses


@pytest.mark.parametrize(("one", "other"), [("flag: true", "flag: false"), ('value: "1"', "value: 1")])
def test_values_that_differ_after_the_cast_have_other_addresses(sweeps, one, other):
    text = "axes: {a: [1]}\nmethods: {m: {model: {stage: make, count: $a, %s}}}"
    assert sweeps.plan(text % one).addresses != sweeps.plan(text % other).addresses


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("count: x", "methods.m.model.count: must be a whole number, got 'x'"),
        ("count: 1.5", "methods.m.model.count: must be a whole number, got 1.5"),
        ("count: true", "methods.m.model.count: must be a whole number, got True"),
        ("number: '1'", "methods.m.model.number: must be a number, got '1'"),
        ("number: 1/0", "methods.m.model.number: must be a number, got '1/0'"),
        ("flag: 1", "methods.m.model.flag: must be true or false, got 1"),
        ("flag: no", "methods.m.model.flag: must be true or false, got 'no'"),
        ("text: 3", "methods.m.model.text: must be text, got 3"),
        ("mode: fats", "methods.m.model.mode: must be one of 'fast', 'slow', got 'fats'"),
        ("items: 3", "methods.m.model.items: must be a list, got 3"),
        ("items: [1, x]", "methods.m.model.items[1]: must be a whole number, got 'x'"),
        ("count: -1", "methods.m.model: count must be at least 0, got -1"),
        (
            "attack: {name: pgdd}",
            "methods.m.model.attack: unknown attack 'pgdd'. Did you mean 'pgd'? Known: fgsm, pgd",
        ),
        (
            "attack: {name: pgd, stps: 3}",
            "methods.m.model.attack.stps: unknown field of pgd 'stps'. Did you mean 'steps'? "
            "Known: epsilon, step, steps",
        ),
        ("attack: {name: pgd, epsilon: 2}", "methods.m.model.attack: epsilon must be in [0, 1], got 2.0"),
        ("attack: {steps: 3}", "methods.m.model.attack: an attack needs a name. Known: fgsm, pgd"),
        ("attack: 3", "methods.m.model.attack: must be an attack or nothing, got 3"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_place_and_the_right_type(sweeps, field, problem):
    assert sweeps.problems(f"""
        axes: {{a: [1]}}
        methods: {{m: {{model: {{stage: make, value: $a, {field}}}}}}}
    """) == [problem]


def test_a_wrong_value_of_an_axis_is_placed_at_the_axis_and_said_once(sweeps):
    assert sweeps.problems("""
        axes: {a: [1, x, 2.5]}
        methods:
          m: {model: {stage: make, count: $a, items: [$a], attack: {name: pgd, steps: $a}}}
          n: {model: {stage: make, count: $a}}
    """) == ["axes.a: must be a whole number, got 'x'", "axes.a: must be a whole number, got 2.5"]
