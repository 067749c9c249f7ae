"""Reads: what a reference means, and how the point moves on the way."""

from __future__ import annotations

import pytest
from universe.telling import everything, points, results

TWO = """
    axes: {a: [1, 2], b: [x, y]}
    methods:
      base: {model: {stage: make, value: $a, text: $b}, other: {stage: make, value: $a}}
      m:
        first: {stage: make, value: $a, text: $b}
        model: {stage: step, reads: {model: %s}, count: 1}
      n: {model: {stage: step, reads: {model: base.other}}}
"""


def read(value, text, part=""):
    return f"step(count=1, model=make(value={value}, text={text!r}){part})"


@pytest.mark.parametrize(
    "reference",
    ["first", "base.model", '"base.model@{}"', "{node: first}", "{node: base.model, at: {}}"],
)
def test_a_plain_reference_stays_at_the_point(sweeps, reference):
    plan = sweeps.plan(TWO % reference, ["method=m"])
    assert results(plan) == [read(a, b) for a in (1, 2) for b in "xy"]
    assert plan.nodes()["m.model"] == ("a", "b")


@pytest.mark.parametrize(
    "reference",
    [
        '"base.model@{b: y}"',
        '"model@{method: base, b: y}"',
        "{node: base.model, at: {b: y}}",
        "{node: model, at: {b: y, method: base}}",
    ],
)
def test_a_pinned_axis_is_moved_and_no_more_a_dependency(sweeps, reference):
    plan = sweeps.plan(TWO % reference, ["method=m"])
    assert points(plan) == [{"a": 1}, {"a": 2}]
    assert results(plan) == [read(1, "y"), read(2, "y")]


def test_a_part_is_read_by_its_name(sweeps):
    text = """
        axes: {a: [1]}
        methods: {m: {x: {stage: step, reads: {model: y}}, y: {stage: make, value: $a}, model: %s}}
    """
    expected = ["step(model=step(model=make(value=1))/best)"]
    assert results(sweeps.plan(text % "{stage: step, reads: {model: x/best}}")) == expected
    assert results(sweeps.plan(text % '{stage: step, reads: {model: "x@{a: 1}/best"}}')) == expected
    assert results(sweeps.plan(text % "{stage: step, reads: {model: {node: x, part: best}}}")) == expected
    assert sweeps.problems(text % "{stage: step, reads: {model: x/bets}}") == [
        "methods.m.model.reads.model: unknown part of step 'bets'. Did you mean 'best'? Known: best, last"
    ]


def test_a_pin_may_follow_another_axis_which_is_then_a_dependency(sweeps):
    plan = sweeps.plan("""
        axes: {seed: [0, 1], teacher: [0, 1, 5]}
        methods:
          base: {model: {stage: make, count: $seed}}
          m: {model: {stage: step, reads: {model: "base.model@{seed: $teacher}"}}}
    """)
    assert plan.nodes() == {"base.model": ("seed",), "m.model": ("teacher",)}
    made = ("make()", "make(count=1)", "make(count=5)")
    assert results(plan)[2:] == [f"step(model={make})" for make in made]


def test_an_axis_that_the_target_does_not_depend_on_is_dropped(sweeps):
    plan = sweeps.plan("""
        axes: {sparsity: [0.5, 0.9], seed: [0, 1]}
        methods:
          dense:  {model: {stage: make, count: $seed}}
          pruned: {model: {stage: step, reads: {model: "dense.model@{sparsity: 0.9}"}, number: $sparsity}}
    """)
    assert sum(told.startswith("make") for told in everything(plan)) == 2


def test_an_axis_that_does_not_exist_at_the_target_is_dropped(sweeps):
    plan = sweeps.plan("""
        axes: {kind: [a, b], depth: {values: [1, 2], only: {kind: b}}}
        methods:
          m:
            base: [{when: {kind: a}, stage: make}, {stage: make, count: $depth}]
            model: {stage: step, reads: {model: "base@{kind: a}"}, value: $kind}
    """)
    assert everything(plan) == ["make()", "step(value='a', model=make())", "step(value='b', model=make())"]


def test_an_axis_the_target_needs_and_the_reader_lacks_is_an_error_naming_it(sweeps):
    text = """
        axes: {kind: [a, b], depth: {values: [1, 2], only: {kind: b}}}
        methods:
          m:
            base: [{when: {kind: a}, stage: make}, {stage: make, count: $depth}]
            model: {stage: step, reads: {model: "base@{%s}"}, value: $kind}
    """
    assert sweeps.problems(text % "kind: b") == [
        "methods.m.model.reads.model: m.base depends on the axis 'depth', which does not exist where this "
        "reads it; pin it, as in @{depth: ...} (reading base@{kind: b} where kind=a)"
    ]
    plan = sweeps.plan(text % "kind: b, depth: 2")
    assert results(plan)[0] == "step(value='a', model=make(count=2))"


def test_a_pin_that_follows_an_axis_that_does_not_exist_there_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {kind: [a, b], depth: {values: [1, 2], only: {kind: b}}, n: [1]}
        methods:
          m:
            base: {stage: make, count: $n}
            model: {stage: step, reads: {model: "base@{n: $depth}"}, value: $kind}
    """) == [
        "methods.m.model.reads.model: the axis 'depth' does not exist there "
        "(reading base@{n: $depth} where kind=a)"
    ]


def test_a_point_reached_only_by_reference_is_planned_and_not_reported(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2], seed: [0, 1]}
        exclude: [{a: 2, seed: 1}]
        methods:
          base: {model: {stage: make, value: $a, count: $seed}}
          m:
            model:
              stage: step
              reads: {model: "base.model@{a: 2, seed: 1}", other: "base.model@{a: 7, seed: 9}"}
        evaluate: {e: {stage: judge, reads: {model: model}}}
    """)
    excluded, unlisted = "make(value=2, count=1)", "make(value=7, count=9)"
    step = f"step(model={excluded}, other={unlisted})"
    assert points(plan) == [{"a": 1, "seed": 0}, {"a": 1, "seed": 1}, {"a": 2, "seed": 0}, {}]
    assert {excluded, unlisted, step, f"judge(model={step})"} <= set(everything(plan))
    assert f"judge(model={excluded})" not in everything(plan)


ROUNDS = """
    axes: {round: %s}
    methods:
      m:
        model:
          - {when: {round: 0}, stage: make}
          - {stage: step, reads: {model: "model@{round: %d}"}, count: $round}
"""


def test_a_negative_pin_is_subtracted_from_the_value_and_is_no_position_in_the_list(sweeps):
    plan = sweeps.plan(ROUNDS % ("[0, 3]", -1))
    assert results(plan) == [
        "make()",
        "step(count=3, model=step(count=2, model=step(count=1, model=make())))",
    ]
    plan = sweeps.plan(ROUNDS % ("[4, 0]", -2))
    assert results(plan) == ["step(count=4, model=step(count=2, model=make()))", "make()"]


def test_counting_below_zero_names_the_alternative_that_is_missing(sweeps):
    text = ROUNDS % ("[3, 0]", -2)
    assert sweeps.problems(text) == [
        "methods.m.model[1].reads.model: counts the axis 'round' back from 1 to below 0; "
        "an alternative with `when: {round: 1}` is missing"
    ]


@pytest.mark.parametrize(("value", "said"), [("0.5", "0.5"), ("x", "'x'"), ("true", "True")])
def test_counting_back_from_what_is_no_whole_number_is_an_error(sweeps, value, said):
    text = f"""
        axes: {{a: [{value}]}}
        methods:
          m: {{x: {{stage: make, value: $a}}, model: {{stage: step, reads: {{model: "x@{{a: -1}}"}}}}}}
    """
    assert sweeps.problems(text) == [
        f"methods.m.model.reads.model: counts the axis 'a' back from {said}, which is no whole number"
    ]


def test_a_list_of_references_is_read_in_its_order_by_a_list_role(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2]}
        methods:
          b: {model: {stage: make, text: b}}
          m:
            x: {stage: make, value: $a}
            model: {stage: join, reads: {models: [x, b.model, {node: x, at: {a: 5}}]}}
    """)
    assert results(plan)[1] == "join(models=[make(value=1), make(text='b'), make(value=5)])"


def test_a_list_role_takes_a_single_reference_as_a_list_of_one(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {m: {x: {stage: make, value: $a}, model: {stage: join, reads: {models: x}}}}
    """)
    assert results(plan) == ["join(models=[make(value=1)])"]
    (job,) = (plan.job(stage) for stage in plan.targets)
    assert job.inputs == {"models": [plan.addresses[0]]}


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


WRONG = """
    axes: {a: [1], b: [1]}
    methods:
      m: {x: {stage: make, value: $a}, model: {stage: step, reads: %s, value: $b}}
    evaluate: {e: {stage: judge, reads: {model: model}}}
"""

FORMS = "must be a reference: node, method.node, node@{axis: value} or node/part"


@pytest.mark.parametrize(
    ("reads", "problem"),
    [
        ("{model: y}", ".model: unknown node of m 'y'. Known: model, x"),
        ("{model: n.x}", ".model: unknown method 'n'. Known: m"),
        ("{model: m.y}", ".model: unknown node of m 'y'. Known: model, x"),
        ("{model: e}", ".model: a method's node cannot read the evaluate node 'e'"),
        ('{model: "x@{c: 1}"}', ".model: unknown axis 'c'. Known: a, b, method"),
        ('{model: "x@{a: $c}"}', ".model: unknown axis '$c'. Known: $a, $b, $method"),
        ('{model: "x@{method: n}"}', ".model: unknown method 'n'. Known: m"),
        ("{model: x/best}", ".model: unknown part of make 'best'. Known: none"),
        ("{mode: x}", ".mode: unknown role of step 'mode'. Did you mean 'model'? Known: model, other"),
        ("{model: [x]}", ".model: the role 'model' of step reads one output, not a list"),
        ("{other: x}", ": step needs something to read as 'model'"),
        ("{model: []}", ".model: names nothing to read"),
        ("{model: x@}", f".model: {FORMS}, got 'x@'"),
        ("{model: 3}", f".model: {FORMS}, got 3"),
        (
            "{model: {node: x, on: {}}}",
            ".model.on: unknown key of a reference 'on'. Known: at, node, part",
        ),
        ("{model: {node: x, at: 3}}", ".model.at: must be a mapping, got 3"),
        ("x", ": must be a mapping, got 'x'"),
    ],
)
def test_a_reference_that_means_nothing_is_one_problem(sweeps, reads, problem):
    found = sweeps.problems(WRONG % reads)
    assert f"methods.m.model.reads{problem}" in found
    # a role that is not there leaves the one that is needed unread, which is a problem of its own
    assert [p for p in found if "needs something" not in p or p.endswith(problem)] == [
        f"methods.m.model.reads{problem}"
    ]


def test_evaluate_nodes_read_each_other_and_the_methods_nodes(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {m: {x: {stage: make, value: $a}, model: {stage: step, reads: {model: x}}}}
        evaluate:
          late:  {stage: judge, reads: {model: early}}
          early: {stage: judge, reads: {model: x}}
    """)
    assert results(plan, "late") == ["judge(model=judge(model=make(value=1)))"]


def test_one_name_in_a_method_and_in_evaluate_is_refused(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {e: {stage: make}, model: {stage: make, value: $a}}}
        evaluate: {e: {stage: judge, reads: {model: model}}}
    """) == ["methods.m.e: a node of this name stands under evaluate; name one of them otherwise"]


def test_a_node_nobody_reads_is_a_warning_and_does_not_run(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {m: {idle: {stage: make}, model: {stage: make, value: $a}}}
        evaluate: {e: {stage: judge, reads: {model: model}}}
    """)
    assert plan.warnings == ["methods.m.idle: no node reads it, so it never runs"]
    assert everything(plan) == ["judge(model=make(value=1))", "make(value=1)"]


def test_a_reference_without_quotes_says_that_it_needs_them(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {model: {stage: step, reads: {model: model@{a: -1}}}}}
    """) == [
        "line 3, column 57: did not find expected ',' or '}' "
        '(a reference with @{...} must be in quotes: "model@{round: -1}")'
    ]
