"""Points and trials: axes, `only`, `exclude`, `include`, `--where`, and what a node depends on."""

from __future__ import annotations

import pytest
from universe.telling import everything, points, results

FREE = """
    axes: {size: [1, 2], seed: [0, 1], unused_by_m: [5, 6]}
    methods:
      m: {model: {stage: make, value: $size, count: $seed}}
      n: {model: {stage: make, value: $unused_by_m}}
"""


def test_a_trial_is_a_point_reduced_to_the_axes_that_its_nodes_depend_on(sweeps):
    plan = sweeps.plan(FREE)
    assert points(plan) == [
        *({"size": size, "seed": seed} for size in (1, 2) for seed in (0, 1)),
        {"unused_by_m": 5},
        {"unused_by_m": 6},
    ]
    assert [trial.method for trial in plan.trials] == ["m"] * 4 + ["n"] * 2
    assert plan.nodes() == {"m.model": ("size", "seed"), "n.model": ("unused_by_m",)}


def test_methods_left_out_of_the_axes_are_all_methods_in_file_order(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {z: {model: {stage: make, value: $a}}, b: {model: {stage: make}}}
    """)
    assert [trial.point["method"] for trial in plan.trials] == ["z", "b"]


def test_a_listed_method_axis_plans_the_others_only_where_they_are_read(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1], method: [m]}
        methods:
          m: {model: {stage: step, reads: {model: base.model}, value: $a}}
          base: {model: {stage: make}, other: {stage: make, value: unread}}
    """)
    assert [trial.method for trial in plan.trials] == ["m"]
    assert everything(plan) == ["make()", "step(value=1, model=make())"]


def test_a_trial_depends_on_the_axes_of_its_evaluation_too(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1], b: [1, 2]}
        methods: {m: {model: {stage: make, value: $a}}}
        evaluate: {e: {stage: judge, reads: {model: model}, value: $b}}
    """)
    assert points(plan) == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    assert plan.nodes() == {"m.model": ("a",), "m.e": ("a", "b")}
    assert everything(plan) == [
        "judge(value=1, model=make(value=1))",
        "judge(value=2, model=make(value=1))",
        "make(value=1)",
    ]


def test_a_node_depends_on_fields_defaults_each_when_overrides_and_what_it_reads(sweeps):
    plan = sweeps.plan("""
        axes:
          {field: [1], default: [1], listed: [1], chosen: [1], moved: [1], over: [1], pinned: [1], used: [1]}
        methods:
          m:
            base: {stage: make, value: [$moved, $pinned]}
            model:
              - {when: {chosen: 1}, stage: step, reads: {model: "base@{pinned: $used}"}, value: $field}
              - {stage: make}
        evaluate: {e: {stage: judge, reads: {model: model}, each: {value: [$listed, 7]}}}
        defaults: {step: {text: t, items: [$default]}}
        overrides: [{when: {over: 1}, set: {model: {count: 3}}}]
    """)
    assert plan.nodes() == {
        "m.base": ("moved", "pinned"),
        "m.model": ("field", "default", "chosen", "moved", "over", "used"),
        "m.e": ("field", "default", "listed", "chosen", "moved", "over", "used"),
    }


def test_an_axis_exists_only_where_its_condition_holds(sweeps):
    plan = sweeps.plan("""
        axes:
          kind: [a, b, c]
          depth: {values: [1, 2], only: {kind: [b, c]}}
          last: {values: [9], only: {depth: 2}}
        methods:
          m:
            model:
              - {when: {last: 9}, stage: make, value: [$kind, $depth, $last]}
              - {when: {depth: 1}, stage: make, value: [$kind, $depth]}
              - {stage: make, value: $kind}
    """)
    assert points(plan) == [
        {"kind": "a"},
        {"kind": "b", "depth": 1},
        {"kind": "b", "depth": 2, "last": 9},
        {"kind": "c", "depth": 1},
        {"kind": "c", "depth": 2, "last": 9},
    ]


def test_a_field_that_asks_for_an_axis_where_it_does_not_exist_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {kind: [a, b], depth: {values: [1, 2], only: {kind: b}}}
        methods: {m: {model: {stage: make, value: [$kind, $depth]}}}
    """) == ["methods.m.model.value: the axis 'depth' does not exist where kind=a (see its `only`)"]


def test_axes_that_decide_each_other_in_a_circle_are_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: {values: [1], only: {b: 1}}, b: {values: [1], only: {a: 1}}}
        methods: {m: {model: {stage: make, value: [$a, $b]}}}
    """) == ["axes.a.only: the axes a, b decide each other in a circle"]


def test_exclude_acts_before_points_are_reduced_to_trials(sweeps):
    plan = sweeps.plan("""
        axes: {sparsity: [0.5, 0.9], seed: [0, 1]}
        exclude: [{sparsity: 0.5, seed: 1}, {method: dense, sparsity: 0.9, seed: 0}]
        methods:
          dense:  {model: {stage: make, count: $seed}}
          pruned: {model: {stage: step, reads: {model: dense.model}, number: $sparsity}}
    """)
    # dense lost (0.5, 1) and (0.9, 0), and still has a point for each seed
    assert points(plan) == [
        {"seed": 0},
        {"seed": 1},
        {"sparsity": 0.5, "seed": 0},
        {"sparsity": 0.9, "seed": 0},
        {"sparsity": 0.9, "seed": 1},
    ]


def test_include_wins_over_exclude_takes_unlisted_values_and_lists(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2], b: [x, y]}
        exclude: [{a: 1}, {a: 2}]
        include: [{a: 1, b: x}, {a: [7, 8], b: z}]
        methods: {m: {model: {stage: make, value: $a, text: $b}}}
    """)
    assert points(plan) == [{"a": 1, "b": "x"}, {"a": 7, "b": "z"}, {"a": 8, "b": "z"}]


def test_an_axis_an_include_omits_takes_all_its_values(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1], b: [x, y], c: {values: [0, 1], only: {b: y}}}
        include: [{a: 9}]
        methods:
          m: {model: [{when: {b: x}, stage: make, value: [$a, $b]}, {stage: make, value: [$a, $b, $c]}]}
    """)
    assert points(plan)[3:] == [{"a": 9, "b": "x"}, {"a": 9, "b": "y", "c": 0}, {"a": 9, "b": "y", "c": 1}]


def test_an_included_point_that_is_there_already_is_one_trial(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2]}
        include: [{a: 2.0}, {a: [3, 6/2]}]
        methods: {m: {model: {stage: make, value: $a}}}
    """)
    assert points(plan) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_an_include_of_an_axis_that_does_not_exist_there_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: [1, 2], b: {values: [5], only: {a: 2}}}
        include: [{a: 1, b: 5}]
        methods: {m: {model: [{when: {a: 2}, stage: make, value: [$a, $b]}, {stage: make, value: $a}]}}
    """) == ["include[0].b: the axis 'b' does not exist there (see its `only`)"]


SHARED = """
    axes: {sparsity: [0.5, 0.9], seed: [0, 1]}
    methods:
      dense:  {model: {stage: make, count: $seed}}
      pruned: {model: {stage: step, reads: {model: dense.model}, number: $sparsity}}
    evaluate: {e: {stage: join, reads: {models: "model@{seed: all}"}}}
"""


def test_where_selects_points_before_the_reduction(sweeps):
    plan = sweeps.plan(SHARED, ["sparsity=0.9", "seed=1"])
    assert [dict(trial.point) for trial in plan.trials] == [
        {"method": "dense", "seed": 1},
        {"method": "pruned", "sparsity": 0.9, "seed": 1},
    ]


def test_where_takes_lists_mappings_and_the_method(sweeps):
    assert points(sweeps.plan(SHARED, ["seed=[1, 7]", "method=dense"])) == [{"seed": 1}]
    assert points(sweeps.plan(SHARED, {"seed": 1, "method": ["dense"]})) == [{"seed": 1}]


def test_several_where_of_one_axis_must_all_hold(sweeps):
    assert points(sweeps.plan(SHARED, ["method=dense", "seed=[0, 1]", "seed=1"])) == [{"seed": 1}]
    assert sweeps.problems(SHARED, ["seed=0", "seed=1"]) == [
        "--where seed=0 seed=1: selects no trial: no planned point fits it"
    ]


def test_all_gathers_what_the_sweep_has_before_where(sweeps):
    everywhere, here = sweeps.plan(SHARED), sweeps.plan(SHARED, ["sparsity=0.9", "seed=1", "method=pruned"])
    (ensemble,) = results(here, "e")
    assert ensemble in results(everywhere, "e")
    assert ensemble.count("step(") == 2
    assert set(here.addresses) < set(everywhere.addresses)


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("seed", "--where seed: must be axis=value, such as method=rigl"),
        ("sed=1", "--where sed: unknown axis 'sed'. Did you mean 'seed'? Known: method, seed, sparsity"),
        ("seed=5", "--where seed=5: selects no trial: unknown value of seed 5. Known: 0, 1"),
        (
            "method=rigl",
            "--where method=rigl: selects no trial: unknown value of method 'rigl'. Known: dense, pruned",
        ),
    ],
)
def test_a_where_that_means_nothing_is_an_error(sweeps, where, problem):
    assert sweeps.problems(SHARED, [where]) == [problem]


def test_all_that_is_wrong_with_where_is_said_at_once_and_with_the_file(sweeps):
    assert sweeps.problems(SHARED, ["sed=1", "seed", "a=[1", "method=dense"]) == [
        "--where seed: must be axis=value, such as method=rigl",
        "--where a: line 2, column 1: did not find expected ',' or ']'",
        "--where sed: unknown axis 'sed'. Did you mean 'seed'? Known: method, seed, sparsity",
    ]
    unknown = SHARED.replace("$sparsity", "$sparsty", 1)
    assert unknown != SHARED
    said = sweeps.problems(unknown, ["seed=5"])
    assert said[0] == "--where seed=5: selects no trial: unknown value of seed 5. Known: 0, 1"
    assert any("unknown axis '$sparsty'" in problem for problem in said[1:])


def test_more_than_a_million_points_ask_for_yes(sweeps):
    values = ", ".join(map(str, range(1001)))
    text = f"""
        axes: {{a: [{values}], b: [{values}]}}
        methods: {{m: {{model: {{stage: make, value: $a}}}}, n: {{model: {{stage: make, value: $b}}}}}}
    """
    assert sweeps.problems(text) == [
        "axes: the product of the axes has more than 1,000,000 points; say --yes if that is meant"
    ]
    assert len(sweeps.plan(text, yes=True).trials) == 2 * 1001


def test_a_value_given_on_the_command_line_takes_the_place_of_the_files(sweeps):
    plan = sweeps.plan(SHARED, set_=["axes.seed=[5]", "methods.dense.model.text=x"])
    assert points(plan)[0] == {"seed": 5}
    assert results(plan)[0] == "make(count=5, text='x')"
