"""Conditions: `only`, `exclude`, `when` and `--where` match alike."""

from __future__ import annotations

import pytest
from universe.telling import points

from orchestrator.spec.values import Condition, matches


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1.0),
        (0.5, "1/2"),
        ("8/255", 8 / 255),
        ("x", {"name": "x"}),
        ({"name": "wide", "depth": 22}, "wide"),
        ({"name": "wide", "depth": 22}, {"name": "wide"}),
        ({"name": "wide", "depth": 22}, {"depth": 22.0}),
        (None, None),
        (True, True),
        ([1, 2], (1, 2)),
    ],
)
def test_equal_values_match_and_a_mapping_matches_by_its_name(value, wanted):
    assert matches(value, wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, True),
        (True, 1),
        ("1", 1),
        ("true", True),
        (0, None),
        (0, False),
        ({"name": "wide", "depth": 22}, {"name": "wide", "depth": 16}),
        ({"depth": 22}, "wide"),
        ("wide", {"name": "wide", "depth": 22}),
    ],
)
def test_values_of_other_kinds_do_not_match(value, wanted):
    assert not matches(value, wanted)


def test_all_keys_must_hold_and_an_absent_axis_does_not_match():
    condition = Condition((("a", (1, 2)), ("b", ("x",))), "here")
    assert condition.holds({"a": 2, "b": "x", "c": 3})
    assert not condition.holds({"a": 2, "b": "y"})
    assert not condition.holds({"a": 2})
    assert Condition((), "here").holds({})


def test_a_condition_on_an_axis_that_does_not_exist_there_does_not_hold(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2], b: {values: [1, 2], only: {a: 2}}}
        exclude: [{b: 1}]
        methods: {m: {model: [{when: {b: 2}, stage: make, value: [$a, $b]}, {stage: make, value: $a}]}}
    """)
    assert points(plan) == [{"a": 1}, {"a": 2, "b": 2}]
    assert points(sweeps.load(sweeps.path.read_text()).plan(["b=[1, 2]"])) == [{"a": 2, "b": 2}]


def test_exclude_matches_a_mapping_by_name_and_true_is_not_one(sweeps):
    plan = sweeps.plan("""
        axes: {a: [{name: wide, depth: 1}, {name: wide, depth: 2}, slim], b: [true, 1]}
        exclude: [{a: {depth: 2}}, {a: wide, b: true}, {a: slim, b: 1}]
        methods: {m: {model: {stage: make, value: [$a, $b]}}}
    """)
    assert points(plan) == [{"a": "wide(depth=1)", "b": 1}, {"a": "slim", "b": True}]


NEVER = """
    axes: {a: [1, 2], b: {values: [3, 4], only: {a: [1, 2]}}}
    exclude: [%(exclude)s]
    methods:
      m:
        model:
          - {when: %(when)s, stage: make, value: [$a, $b]}
          - {when: {b: 3}, stage: make, value: [$a, $b], count: 1}
          - {stage: make, value: $a}
    evaluate: {e: {when: %(evaluate)s, stage: judge, reads: {model: model}}}
    overrides:
      - {when: %(override)s, set: {model: {count: 5}}}
      - {when: %(resources)s, resources: {make: {cpus: 3}}}
"""
FINE = {
    "exclude": "{a: 2, method: m, b: 3}",
    "when": "{a: 2}",
    "evaluate": "{a: 1}",
    "override": "{a: 1}",
    "resources": "{a: 1}",
}


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("exclude", "exclude[0]: excludes nothing"),
        ("when", "methods.m.model[0].when: never holds"),
        ("evaluate", "evaluate.e.when: never holds"),
        ("override", "overrides[0].when: never holds"),
        ("resources", "overrides[1].when: never holds"),
    ],
)
def test_a_condition_that_never_matches_is_an_error(sweeps, place, where):
    assert sweeps.problems(NEVER % FINE) == []
    unknown = NEVER % {**FINE, place: "{a: 7}"}
    assert sweeps.problems(unknown) == [f"{where}: unknown value of a 7. Known: 1, 2"]
    if place != "exclude":
        apart = NEVER % {**FINE, place: "{a: 2, b: 3}"}
        assert sweeps.problems(apart) == [f"{where}: no planned point fits it"]
    axis = f"{where.partition(':')[0]}.c: unknown axis 'c'. Known: a, b, method"
    assert axis in sweeps.problems(NEVER % {**FINE, place: "{c: 2}"})


@pytest.mark.parametrize(
    "override",
    [
        "{when: {method: n}, set: {m.model: {count: 5}}}",
        "{when: {method: n}, set: {x: {count: 5}}}",
        "{when: {method: n, a: 1}, resources: {m.model: {cpus: 2}}}",
        "{when: {a: 1}, resources: {n.model: {cpus: 2}}}",
    ],
)
def test_an_override_that_holds_at_no_point_of_its_nodes_is_an_error(sweeps, override):
    text = """
        axes: {a: [1, 2]}
        methods:
          m: {x: {stage: make, value: $a}, model: {stage: step, reads: {model: x}}}
          n: {model: {stage: make, value: 7}}
        overrides: [%s]
    """
    assert sweeps.problems(text % override) == [
        "overrides[0].when: never holds: none of its nodes is planned there"
    ]
    mine = override.replace("method: n", "method: m").replace("n.model", "m.model")
    assert sweeps.problems(text % mine) == []


def test_an_axis_that_exists_nowhere_is_an_error(sweeps):
    text = """
        axes: {a: [1, 2], b: {values: [3], only: {a: 7}}}
        methods: {m: {model: [{when: {a: 1}, stage: make}, {stage: make, value: $b}]}}
    """
    assert sweeps.problems(text) == [
        "methods.m.model[1].value: the axis 'b' does not exist where a=2 (see its `only`)",
        "axes.b.only: never holds, so 'b' exists nowhere: unknown value of a 7. Known: 1, 2",
    ]


def test_a_condition_that_holds_only_at_points_reached_by_reference_is_fine(sweeps):
    plan = sweeps.plan("""
        axes: {round: [2]}
        methods:
          m: {model: [{when: {round: 0}, stage: make}, {stage: step, reads: {model: "model@{round: -1}"}}]}
    """)
    assert len(plan) == 3


def test_every_trial_excluded_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: [1, 2]}
        exclude: [{a: 1}, {a: 2}]
        methods: {m: {model: {stage: make, value: $a}}}
    """) == ["exclude: every trial is excluded"]


def test_where_does_not_make_conditions_wrong(sweeps):
    plan = sweeps.plan(
        """
        axes: {a: [1, 2]}
        methods: {m: {model: [{when: {a: 1}, stage: make}, {stage: make, value: $a}]}}
        """,
        ["a=2"],
    )
    assert points(plan) == [{"a": 2}]
