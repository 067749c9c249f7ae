"""Searches: what is tried, at which points, and who reads the settings."""

from __future__ import annotations

from universe.telling import everything, results, stage_of

from orchestrator import identity

TUNED = """
    axes: {tuned: [0, 1], seed: [0, 1]}
    methods:
      m:
        base: {stage: make, count: $seed}
        search: {stage: search, try: model, at: {tuned: 0, seed: [100, 101]}, samples: 2}
        model:
          - {when: {tuned: 0}, stage: make, reads: {model: base}, text: untuned}
          - {stage: make, reads: {model: base, settings: search}}
"""


def test_a_search_tries_a_node_at_the_points_of_at_and_runs_once(sweeps):
    plan = sweeps.plan(TUNED)
    (search,) = (stage for stage in range(len(plan)) if plan.stage_name(stage) == "search")
    job = plan.job(search)
    assert plan.nodes()["m.search"] == ()
    assert [dict(attempt.point) for attempt in job.tries] == [
        {"tuned": 0, "seed": 100},
        {"tuned": 0, "seed": 101},
    ]
    assert {attempt.node for attempt in job.tries} == {"m.model"}
    assert [plan.job(parent).label for parent in plan.parents(search)] == [
        "m.base seed=100",
        "m.base seed=101",
    ]
    assert results(plan)[2:] == [
        f"make(model={base}, settings=search(samples=2))" for base in ("make()", "make(count=1)")
    ]


def test_the_tries_are_addressed_like_any_stage_and_are_no_part_of_the_plan(sweeps):
    plan = sweeps.plan(TUNED)
    (job,) = (plan.job(stage) for stage in range(len(plan)) if plan.stage_name(stage) == "search")
    for attempt in job.tries:
        assert identity.address(stage_of(attempt), attempt.inputs) == attempt.address
        assert identity.digest(attempt.text) == attempt.address
        assert attempt.address not in plan.addresses
    tried = {"try": [attempt.address for attempt in job.tries]}
    assert identity.address(stage_of(job), tried) == job.address
    assert sum("untuned" in told for told in everything(plan)) == 2


def test_what_a_search_needs_is_missing_with_it(sweeps):
    plan = sweeps.plan(TUNED, ["tuned=1", "seed=0"])
    nodes = sorted(plan.job(stage).label for stage in plan.missing(set()))
    assert nodes == [
        "m.base seed=0",
        "m.base seed=100",
        "m.base seed=101",
        "m.model tuned=1 seed=0",
        "m.search",
    ]


def test_a_search_of_nothing_is_an_error(sweeps):
    assert sweeps.problems(TUNED.replace("try: model, ", "")) == [
        "methods.m.search.try: a search names the node it tries"
    ]
    assert sweeps.problems(TUNED.replace("try: model", "try: modl")) == [
        "methods.m.search.try: unknown node of m 'modl'. Did you mean 'model'? Known: base, model, search"
    ]
    assert sweeps.problems(TUNED.replace("tuned: 0, seed", "tund: 0, seed")) == [
        "methods.m.search.try: unknown axis 'tund'. Did you mean 'tuned'? Known: method, seed, tuned"
    ]
    assert sweeps.problems(TUNED.replace("at: {tuned: 0, seed: [100, 101]}", "at: 3")) == [
        "methods.m.search.at: must be a mapping, got 3"
    ]


def test_a_search_of_a_node_that_does_not_exist_there_is_an_error(sweeps):
    text = TUNED.replace(
        "stage: make, reads: {model: base, settings: search}",
        "when: {tuned: 1}, stage: make, reads: {model: base, settings: search}",
    )
    assert sweeps.problems(text.replace("at: {tuned: 0", "at: {tuned: 2")) == [
        "methods.m.search.try: m.model does not exist at tuned=2, seed=100: no `when` holds"
    ]


def test_only_a_search_has_try_and_at(sweeps):
    found = sweeps.problems("""
        axes: {a: [1]}
        methods: {m: {model: {stage: make, value: $a, try: model}}}
    """)
    assert found == [
        "methods.m.model.try: unknown field of make 'try'. "
        "Known: attack, count, enemy, flag, items, mode, number, text, value"
    ]


def test_what_a_search_tries_belongs_to_the_plan_all_the_same(sweeps):
    plan = sweeps.plan(TUNED)
    (job,) = (plan.job(stage) for stage in range(len(plan)) if plan.stage_name(stage) == "search")
    assert plan.referred() == {*plan.addresses, *(attempt.address for attempt in job.tries)}
    assert len(plan.referred()) == len(plan) + 2
