"""`each`: axes local to a node, and how its readers pick."""

from __future__ import annotations

from universe.telling import everything, points, results

FEATURES = """
    axes: {data: [x, y], seed: [0, 1]}
    methods: {m: {model: {stage: make, text: $data, count: $seed}}}
    evaluate:
      f: {stage: judge, reads: {model: model}, each: {value: [$data, noise], mark: [2, 1]}}
"""
MODEL = "make(text='x')"


def features(value, mark, model=MODEL):
    return f"judge(value={value!r}, model={model})" if mark is None else (value, mark, model)


def test_each_adds_axes_to_the_node_alone(sweeps):
    plan = sweeps.plan(FEATURES)
    assert points(plan) == [{"data": d, "seed": s} for d in "xy" for s in (0, 1)]
    first = [output for output in plan.trials[0].outputs if output.node == "f"]
    assert [dict(output.each) for output in first] == [
        {"value": value, "mark": mark} for value in ("x", "noise") for mark in (2, 1)
    ]
    assert plan.nodes()["m.f"] == ("data", "seed")


def test_a_key_that_the_stage_has_as_a_field_is_set_and_another_is_only_a_variable(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a}}}
        evaluate: {e: {stage: judge, reads: {model: model}, each: {count: [1, 2], mark: [u, w]}, text: $mark}}
    """)
    made = "make(value=1)"
    assert results(plan, "e") == [
        f"judge(count={count}, text={mark!r}, model={made})" for count in (1, 2) for mark in "uw"
    ]


def test_a_variable_that_no_field_uses_makes_no_stages_of_its_own(sweeps):
    plan = sweeps.plan(FEATURES.replace("mark: [2, 1]", "mark: [2, 1, 3]"))
    assert len([output for output in plan.trials[0].outputs if output.node == "f"]) == 6
    assert len(plan) == 4 + 4 * 2


def test_a_key_shadows_the_axis_of_its_name_and_never_moves_what_is_read(sweeps):
    plan = sweeps.plan("""
        axes: {data: [x, y]}
        methods: {m: {model: {stage: make, text: $data}}}
        evaluate:
          f: {stage: judge, reads: {model: model}, each: {data: [$data, noise]}, value: $data}
          g: {stage: judge, reads: {model: "f@{data: $data}"}}
          h: {stage: judge, reads: {model: "f@{data: $other}"}, each: {other: [noise]}}
    """)
    model = "make(text='x')"
    assert results(plan, "f")[:2] == [f"judge(value={v!r}, model={model})" for v in ("x", "noise")]
    assert results(plan, "g")[0] == f"judge(model=judge(value='x', model={model}))"
    assert results(plan, "h")[0] == f"judge(model=judge(value='noise', model={model}))"


def test_equal_values_of_a_key_are_one_element(sweeps):
    plan = sweeps.plan("""
        axes: {data: [x, y]}
        methods: {m: {model: {stage: make, text: $data}}}
        evaluate: {f: {stage: judge, reads: {model: model}, each: {value: [$data, x]}}}
    """)
    found = [[dict(o.each)["value"] for o in trial.outputs if o.node == "f"] for trial in plan.trials]
    assert found == [["x"], ["y", "x"]]


def test_a_list_role_reads_every_element_or_those_that_are_picked_in_the_order_of_their_values(sweeps):
    text = FEATURES + "      g: {stage: join, reads: {models: %s}}"
    x, noise = f"judge(value='x', model={MODEL})", f"judge(value='noise', model={MODEL})"
    for reference in ("f", '"f@{mark: 1}"', '"f@{value: all}"', '"f@{value: [x, noise]}"'):
        assert results(sweeps.plan(text % reference), "g")[0] == f"join(models=[{noise}, {x}])"
    assert results(sweeps.plan(text % '"f@{value: $data}"'), "g")[0] == f"join(models=[{x}])"


def test_a_role_that_reads_one_output_must_pick(sweeps):
    text = FEATURES + "      g: {stage: judge, reads: {model: %s}}"
    assert sweeps.problems(text % "f") == [
        "evaluate.g.reads.model: f has 4 stages here; pick one: f@{mark, value: ...}"
    ]
    assert sweeps.problems(text % '"f@{mark: 1}"') == [
        "evaluate.g.reads.model: f has 2 stages here; pick one: f@{mark, value: ...}"
    ]


def test_picking_what_is_not_there_is_one_error_that_says_what_is(sweeps):
    text = FEATURES + '      g: {stage: judge, reads: {model: "f@{value: noize, mark: 1}"}}'
    assert sweeps.problems(text) == [
        "evaluate.g.reads.model: picks nothing: value=noize, mark=1 is none of value=x, mark=2; "
        "value=x, mark=1; value=noise, mark=2; value=noise, mark=1"
    ]


def test_a_node_that_is_another_nodes_work_is_picked_by_its_keys(sweeps):
    plan = sweeps.plan("""
        axes: {data: [x, y]}
        methods: {m: {model: {stage: make, text: $data}}}
        evaluate:
          f: {stage: judge, reads: {model: model}, each: {value: [1, 2]}}
          g: {when: {data: x}, use: f}
          h: {stage: judge, reads: {model: "g@{value: 2}"}}
    """)
    assert results(plan, "h") == [f"judge(model=judge(value=2, model={MODEL}))"]
    assert results(plan, "g") == results(plan, "f")[:2]


def test_a_mapping_is_picked_by_its_name(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a}}}
        evaluate:
          f: {stage: judge, reads: {model: model}, each: {attack: [fgsm, {name: pgd, steps: 3}]}}
          g: {stage: judge, reads: {model: "f@{attack: pgd}"}}
    """)
    pgd = "Pgd(epsilon=0.3, steps=3, step=None)"
    assert results(plan, "g") == [f"judge(model=judge(attack={pgd}, model=make(value=1)))"]
    assert [dict(o.each) for o in plan.trials[0].outputs if o.node == "f"] == [
        {"attack": "fgsm"},
        {"attack": "pgd(steps=3)"},
    ]
    assert any(plan.job(stage).label == "m.f a=1 attack=pgd(steps=3)" for stage in range(len(plan)))


def test_one_more_value_adds_only_its_own_stages(sweeps):
    before = set(sweeps.plan(FEATURES).addresses)
    after = sweeps.plan(FEATURES.replace("noise", "noise, web"))
    new = [told for told in everything(after) if "web" in told]
    assert before < set(after.addresses)
    assert len(new) == len(after) - len(before) == 4


def test_each_needs_lists(sweeps):
    text = """
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a}}}
        evaluate: {e: {stage: judge, reads: {model: model}, each: %s}}
    """
    assert sweeps.problems(text % "{count: 3, mark: []}") == [
        "evaluate.e.each.count: must be a list of values, got 3",
        "evaluate.e.each.mark: must be a list of values, got []",
    ]
    assert sweeps.problems(text % "{value: [$b]}") == [
        "evaluate.e.each.value: unknown axis '$b'. Known: $a, $method"
    ]


def test_a_key_that_changes_nothing_is_warned_of(sweeps):
    text = """
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a}}}
        evaluate:
          e: {stage: judge, reads: {model: model}, each: {valu: [1, 2]}}
          f: {stage: judge, reads: {model: model}, each: {mark: [u, w], value: [1], pick: [3]}, text: $mark}
          g: {stage: judge, reads: {model: "f@{mark: $which, pick: 3}"}, each: {which: [u, w]}}
          h: {stage: judge, reads: {model: model}, each: {much: [1, 2]}}
        overrides: [{set: {m.h: {count: $much}}}]
    """
    known = "Known: attack, count, flag, items, mode, number, text, value"
    assert sweeps.plan(text).warnings == [
        "evaluate.e.each.valu: changes nothing, and $valu stands nowhere: unknown field of judge 'valu'. "
        f"Did you mean 'value'? {known}",
        "evaluate.f.each.pick: changes nothing, and $pick stands nowhere: unknown field of judge 'pick'. "
        f"{known}",
    ]
