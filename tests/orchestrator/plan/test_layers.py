"""Layers of fields: class default < defaults < node < each < overrides in file order."""

from __future__ import annotations

import pytest
from universe.telling import results

from orchestrator.build import merge


def test_each_layer_wins_over_the_one_before(sweeps):
    text = """
        axes: {a: [1]}
        methods: {m: {x: {stage: make, value: $a}, model: {stage: step, reads: {model: x}, %(node)s}}}
        evaluate: {e: {stage: step, reads: {model: x}, %(node)s, each: {%(each)s}}}
        defaults: {step: {%(defaults)s}}
        overrides: [{set: {%(one)s}}, {set: {%(two)s}}]
    """
    empty = {"node": "flag: true", "each": "mark: [1]", "defaults": "", "one": "x: {}", "two": "x: {}"}
    layers = [
        ("defaults", "text: defaults"),
        ("node", "flag: true, text: node"),
        ("each", "text: [each]"),
        ("one", "e: {text: one}"),
        ("two", "m.e: {text: two}"),
    ]
    written = dict(empty)
    for name, layer in layers:
        written[name] = layer
        (told,) = results(sweeps.plan(text % written), "e")
        assert f"text={name!r}" in told


MERGED = """
    axes: {a: [1]}
    methods: {m: {model: {stage: make, text: $method, attack: %s}}}
    defaults: {make: {count: $a, attack: %s}}
"""


@pytest.mark.parametrize(
    ("under", "over", "merged"),
    [
        ("pgd", "{steps: 3}", "Pgd(epsilon=0.3, steps=3, step=None)"),
        ("{name: pgd, steps: 3}", "{epsilon: 0.1}", "Pgd(epsilon=0.1, steps=3, step=None)"),
        ("{name: pgd, steps: 3}", "{name: pgd, epsilon: 0.1}", "Pgd(epsilon=0.1, steps=3, step=None)"),
        ("{name: pgd, steps: 3}", "pgd", "Pgd(epsilon=0.3, steps=3, step=None)"),
        ("{name: pgd, steps: 3}", "fgsm", "Fgsm(epsilon=0.3)"),
        ("{name: pgd, epsilon: 0.1}", "{name: fgsm}", "Fgsm(epsilon=0.3)"),
    ],
)
def test_a_mapping_merges_unless_it_has_another_name(sweeps, under, over, merged):
    assert results(sweeps.plan(MERGED % (over, under))) == [f"make(count=1, text='m', attack={merged})"]


def test_nothing_takes_away_what_a_layer_below_gave(sweeps):
    assert results(sweeps.plan(MERGED % ("null", "pgd"))) == ["make(count=1, text='m')"]


@pytest.mark.parametrize(
    ("under", "over", "merged"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ("sgd", {"lr": 1}, {"name": "sgd", "lr": 1}),
        ({"name": "sgd", "in": "adam"}, {"in": {"lr": 1}}, {"name": "sgd", "in": {"name": "adam", "lr": 1}}),
        ({"lr": 1}, {"name": "sgd"}, {"name": "sgd"}),
        (1, 2, 2),
        ({"a": 1}, 2, 2),
        ([1], {"a": 1}, {"a": 1}),
    ],
)
def test_merging_goes_key_by_key_and_lists_replace(under, over, merged):
    assert merge(under, over) == merged


def test_a_class_default_is_a_layer_like_the_others(sweeps):
    text = "axes: {a: [1]}\nmethods: {m: {model: {stage: make, value: $a, enemy: %s}}}"
    assert results(sweeps.plan(text % "{steps: 3}")) == [
        "make(value=1, enemy=Pgd(epsilon=0.1, steps=3, step=None))"
    ]
    assert results(sweeps.plan(text % "{name: pgd}")) == ["make(value=1)"]
    assert results(sweeps.plan(text % "fgsm")) == ["make(value=1, enemy=Fgsm(epsilon=0.3))"]


def test_dollars_are_filled_in_before_layers_merge(sweeps):
    plan = sweeps.plan("""
        axes: {network: [{name: wide, depth: 22}, slim]}
        methods: {m: {model: {stage: make, value: {unknown: 1}}}, n: {model: {stage: make, text: n}}}
        defaults: {make: {value: $network}}
    """)
    assert [plan.job(target).fields["value"] for target in plan.targets] == [
        {"name": "wide", "depth": 22, "unknown": 1},
        {"name": "slim", "unknown": 1},
        {"name": "wide", "depth": 22},
        "slim",
    ]


OVERRIDES = """
    axes: {a: [1, 2], seed: [0, 1]}
    methods:
      m: {x: {stage: make, value: $a}, model: {stage: step, reads: {model: x}, count: $seed}}
      n: {model: {stage: make, count: $seed, text: n}}
    overrides: %s
"""


def test_an_override_is_tested_at_the_nodes_own_point_and_makes_it_depend_on_the_condition(sweeps):
    plan = sweeps.plan(OVERRIDES % "[{when: {seed: 1}, set: {x: {text: odd}}}]")
    assert plan.nodes()["m.x"] == ("a", "seed")
    assert results(plan)[:2] == [
        "step(model=make(value=1))",
        "step(count=1, model=make(value=1, text='odd'))",
    ]


def test_an_override_is_by_node_in_every_method_or_by_method_and_node(sweeps):
    plan = sweeps.plan(OVERRIDES % "[{set: {model: {text: every}, n.model: {flag: true}}}]")
    assert results(plan)[0] == "step(text='every', model=make(value=1))"
    assert results(plan)[4] == "make(text='every', flag=True)"


def test_a_condition_on_the_method_makes_nobody_depend_on_more(sweeps):
    plan = sweeps.plan(OVERRIDES % "[{when: {method: n}, set: {model: {text: o}}}]")
    assert plan.nodes() == {"m.x": ("a",), "m.model": ("a", "seed"), "n.model": ("seed",)}
    assert results(plan)[4] == "make(text='o')"


def test_overrides_apply_in_file_order(sweeps):
    for order in (("first", "second"), ("second", "first")):
        text = "[" + ", ".join(f"{{set: {{n.model: {{text: {name}}}}}}}" for name in order) + "]"
        assert results(sweeps.plan(OVERRIDES % text, ["method=n"]))[0] == f"make(text={order[1]!r})"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "{set: {modl: {count: 1}}}",
            "set.modl: unknown node 'modl'. Did you mean 'model'? Known: m.model, m.x, ",
        ),
        (
            "{set: {n.x: {count: 1}}}",
            "set.n.x: unknown node 'n.x'. Did you mean 'm.x'? Known: m.model, m.x, ",
        ),
        ("{set: {x: {reads: {}}}}", "set.x.reads: an override sets fields; it cannot change `reads`"),
        ("{set: {x: {stage: step}}}", "set.x.stage: an override sets fields; it cannot change `stage`"),
        ("{set: {x: {when: {}}}}", "set.x.when: an override sets fields; it cannot change `when`"),
        ("{set: {x: {each: {}}}}", "set.x.each: an override sets fields; it cannot change `each`"),
        ("{set: {x: {cont: 1}}}", "set.x.cont: unknown field of make 'cont'. Did you mean 'count'? Known: "),
        ("{set: {x: {count: x}}}", "set.x.count: must be a whole number, got 'x'"),
        ("{when: {b: 1}, set: {x: {count: 1}}}", "when.b: unknown axis 'b'. Known: a, method, seed"),
        ("{set: {x: {value: $b}}}", "set.x.value: unknown axis '$b'. Known: $a, $method, $seed"),
        ("{set: 3}", "set: must be a mapping, got 3"),
        ("{sett: {}}", "sett: unknown key 'sett'. Did you mean 'set'? Known: resources, set, when"),
    ],
)
def test_a_wrong_override_is_named_with_its_place(sweeps, override, problem):
    (found,) = sweeps.problems(OVERRIDES % f"[{override}]")
    assert found.startswith(f"overrides[0].{problem}")


def test_an_override_of_nothing_is_an_error(sweeps):
    assert sweeps.problems(OVERRIDES % "[{when: {a: 1}}]") == [
        "overrides[0]: an override needs `set` or `resources`"
    ]


def test_defaults_hold_fields_only(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a}}}
        defaults: {make: {reads: {model: x}, cont: 1}}
    """) == [
        "defaults.make.reads: defaults hold fields; `reads` belongs to a node",
        "defaults.make.cont: unknown field of make 'cont'. Did you mean 'count'? "
        "Known: attack, count, enemy, flag, items, mode, number, text, value",
    ]
