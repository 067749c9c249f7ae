"""`when`, alternatives, `use`, and nodes that do not exist somewhere."""

from __future__ import annotations

from universe.telling import everything, results


def test_the_first_alternative_whose_condition_holds_is_the_node(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1, 2, 3], b: [x, y]}
        methods:
          m:
            model:
              - {when: {a: [1, 2], b: x}, stage: make, text: first}
              - {when: {a: 1}, stage: make, text: second}
              - {stage: make, text: last}
    """)
    assert results(plan) == [
        f"make(text={text!r})" for text in ("first", "second", "first", "last", "last", "last")
    ]
    assert plan.nodes() == {"m.model": ("a", "b")}


def test_an_alternative_behind_one_without_a_condition_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {model: [{stage: make, value: $a}, {when: {a: 1}, stage: make}]}}
    """) == ["methods.m.model[0]: has no `when`, so the alternatives after it can never be chosen"]


def test_use_makes_a_node_another_nodes_work(sweeps):
    plan = sweeps.plan("""
        axes: {tune: [no, long]}
        methods:
          m:
            base: {stage: make}
            cut: {stage: step, reads: {model: base}}
            model: [{when: {tune: no}, use: cut}, {stage: step, reads: {model: cut}, text: $tune}]
        evaluate: {e: {stage: judge, reads: {model: model}}}
    """)
    cut = "step(model=make())"
    assert results(plan) == [cut, f"step(text='long', model={cut})"]
    assert results(plan, "e")[0] == f"judge(model={cut})"
    assert len(plan) == 5


def test_a_method_whose_network_is_another_nodes_work_is_shared_with_it(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods:
          m: {base: {stage: make, value: $a}, model: {use: base}}
          n: {model: {stage: make, value: $a}}
    """)
    assert everything(plan) == ["make(value=1)"]
    assert len(plan.trials) == 2


def test_beside_use_only_when_may_stand(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {base: {stage: make, value: $a}, model: {use: base, count: 3}, other: {use: 4}}}
    """) == [
        "methods.m.model.count: beside `use` only `when` may stand: the node is another node's work",
        "methods.m.other.use: must be the name of a node, got 4",
    ]


def test_using_a_node_that_is_not_there_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {base: {stage: make, value: $a}, model: {use: bose}}}
    """) == ["methods.m.model.use: unknown node of m 'bose'. Did you mean 'base'? Known: base, model"]


SOMEWHERE = """
    axes: {a: [1, 2]}
    methods: {m: {part: {when: {a: 1}, stage: make, value: $a}, model: {stage: %s, value: $a}}}
    evaluate:
      here:  {when: {a: 2}, stage: judge, reads: {model: model}}
      there: {stage: judge, reads: {model: here}}
      both:  {stage: judge, reads: {model: model}}
      parts: {stage: judge, reads: {model: part}}
"""


def test_an_evaluate_node_that_does_not_exist_is_skipped_with_its_readers(sweeps):
    plan = sweeps.plan(SOMEWHERE % "make")
    found = [[output.node for output in trial.outputs] for trial in plan.trials]
    assert found == [["model", "both", "parts"], ["model", "here", "there", "both"]]


def test_elsewhere_reading_a_node_that_does_not_exist_is_an_error(sweeps):
    assert sweeps.problems(SOMEWHERE % "step, reads: {model: part}") == [
        "methods.m.model.reads.model: m.part does not exist at a=2: no `when` holds"
    ]


def test_an_evaluate_node_for_one_method_may_read_what_only_that_method_has(sweeps):
    plan = sweeps.plan("""
        axes: {a: [1]}
        methods:
          m: {cut: {stage: make, value: $a}, model: {stage: step, reads: {model: cut}}}
          n: {model: {stage: make}}
        evaluate: {e: {when: {method: m}, stage: judge, reads: {model: cut}}}
    """)
    assert [[output.node for output in trial.outputs] for trial in plan.trials] == [["model", "e"], ["model"]]


def test_without_the_condition_that_is_an_error_for_the_other_method(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods:
          m: {cut: {stage: make, value: $a}, model: {stage: step, reads: {model: cut}}}
          n: {model: {stage: make}}
        evaluate: {e: {stage: judge, reads: {model: cut}}}
    """) == ["evaluate.e.reads.model: unknown node of n 'cut'. Known: e, model"]


def test_an_axis_nobody_mentions_is_an_error(sweeps):
    assert sweeps.problems("""
        axes: {a: [1], b: [1], c: {values: [1], only: {b: 1}}}
        methods: {m: {model: {stage: make, value: $a}}}
    """) == [
        "axes.b: nothing mentions this axis; write $b where it belongs",
        "axes.c: nothing mentions this axis; write $c where it belongs",
    ]


def test_an_axis_that_only_decides_where_another_exists_is_mentioned(sweeps):
    plan = sweeps.plan("""
        axes: {b: [1, 2], c: {values: [5], only: {b: 2}}}
        methods: {m: {model: [{when: {c: 5}, stage: make, value: $c}, {stage: make}]}}
    """)
    assert plan.nodes() == {"m.model": ("b", "c")}
    assert results(plan) == ["make()", "make(value=5)"]


def test_a_method_needs_a_model_and_a_node_a_stage(sweeps):
    assert sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {mode: {stage: make, value: $a}}, n: {model: {value: $a}}, o: {model: []}}
    """) == [
        "methods.n.model: a node needs a `stage` (or `use`: another node)",
        "methods.o.model: a list of alternatives needs at least one",
        "methods.m: a method needs a node `model`, the network that gets evaluated",
    ]
