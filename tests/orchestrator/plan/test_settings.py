"""Resources, time limits, retries, what is kept, the store and tables: nothing of it is in an address."""

from __future__ import annotations

import pytest

from orchestrator.spec.sweep import Retries, Table
from orchestrator.stage import Resources
from orchestrator.storage.base import StoreConfig

SWEEP = """
    axes: {a: [1, 2]}
    methods: {m: {x: {stage: make, value: $a}, model: {stage: step, reads: {model: x}}}}
    evaluate: {e: {stage: judge, reads: {model: model}, each: {count: [1, 2]}}}
"""


def jobs(plan):
    return {plan.job(stage).label: plan.job(stage) for stage in range(len(plan))}


def test_resources_are_the_class_default_then_the_stages_then_overrides_at_the_nodes_point(sweeps):
    plan = sweeps.plan(
        SWEEP
        + """
    resources: {step: {gpus: 0.25}, judge: {memory_gib: 2}}
    overrides:
      - {when: {a: 2}, resources: {step: {cpus: 3}}}
      - {when: {a: 2}, set: {x: {text: big}}, resources: {m.x: {cpus: 5}}}
      - {resources: {e: {cpus: 0.5}}}
    """
    )
    found = {label: job.resources for label, job in jobs(plan).items()}
    assert found["m.model a=1"] == Resources(cpus=2, gpus=0.25)
    assert found["m.model a=2"] == Resources(cpus=3, gpus=0.25)
    assert found["m.x a=1"] == Resources()
    assert found["m.x a=2"] == Resources(cpus=5)
    assert found["m.e a=1 count=2"] == Resources(cpus=0.5, memory_gib=2)


SETTINGS = """
    resources: {make: {cpus: 3, gpus: 1}}
    overrides: [{when: {a: 2}, resources: {m.x: {cpus: 5}}}]
    retries: {system: 7, error: 0}
    timeout: {make: 2h}
    keep: metrics
    store: {uri: s3://bucket/prefix, endpoint: http://here, region: r, profile: p}
    tables: [{value: e.accuracy, rows: a}]
"""


def test_no_setting_is_part_of_an_address(sweeps):
    assert sweeps.plan(SWEEP).addresses == sweeps.plan(SWEEP + SETTINGS).addresses


def test_an_override_of_resources_makes_nobody_depend_on_its_condition(sweeps):
    text = SWEEP.replace("axes: {a: [1, 2]}", "axes: {a: [1, 2], b: [0, 1]}").replace(
        "{model: x}", "{model: x}, count: $b"
    )
    plan = sweeps.plan(text + "    overrides: [{when: {b: 1}, resources: {step: {cpus: 9}}}]")
    assert plan.nodes()["m.x"] == ("a",)
    assert {label: job.resources.cpus for label, job in jobs(plan).items() if "model" in label} == {
        "m.model a=1 b=0": 2,
        "m.model a=1 b=1": 9,
        "m.model a=2 b=0": 2,
        "m.model a=2 b=1": 9,
    }


def test_a_table_may_average_over_a_key_of_its_node(sweeps):
    sweep = sweeps.load(SWEEP + "    tables: [{value: e.x, average: e.count, where: {e.count: [1, 2]}}]")
    assert sweep.tables[0].average == ("e.count",)


def test_settings_are_read_into_the_sweep(sweeps):
    sweep = sweeps.load(SWEEP + SETTINGS)
    assert sweep.retries == Retries(system=7, error=0)
    assert sweep.timeout == {"make": 7200}
    assert sweep.keep == "metrics"
    assert sweep.store == StoreConfig("s3://bucket/prefix", "http://here", "r", "p")
    assert sweep.tables == (Table(("a",), (), "e.accuracy"),)
    assert sweep.tables[0].over == ("seed",)
    assert sweep.plan().job(0).timeout_seconds == 7200


def test_settings_left_out_have_their_defaults(sweeps):
    sweep = sweeps.load(SWEEP)
    assert (sweep.retries, sweep.timeout, sweep.keep, sweep.store, sweep.tables) == (
        Retries(system=3, error=1),
        {},
        "all",
        None,
        (),
    )
    assert sweep.plan().job(0).timeout_seconds is None


def test_a_store_is_a_folder_or_a_mapping(sweeps):
    assert sweeps.load(SWEEP + "    store: results").store == StoreConfig("results")
    assert sweeps.load(SWEEP + "    store: {uri: results}").store == StoreConfig("results")
    assert sweeps.load(SWEEP + "    store:").store is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400), ("0.5", 0.5)],
)
def test_a_time_is_a_number_with_or_without_a_unit(sweeps, written, seconds):
    assert sweeps.load(SWEEP + f"    timeout: {{make: {written}}}").timeout == {"make": seconds}


STAGES = "join, judge, make, search, step"


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("timeout: {make: 0}", "timeout.make: a time is a number with s, m, h or d (90s, 30m, 2h), got 0"),
        ("timeout: {make: -1}", "timeout.make: a time is a number with s, m, h or d (90s, 30m, 2h), got -1"),
        (
            "timeout: {make: 2w}",
            "timeout.make: a time is a number with s, m, h or d (90s, 30m, 2h), got '2w'",
        ),
        ("timeout: {mak: 2h}", f"timeout.mak: unknown stage 'mak'. Did you mean 'make'? Known: {STAGES}"),
        ("defaults: {mak: {}}", f"defaults.mak: unknown stage 'mak'. Did you mean 'make'? Known: {STAGES}"),
        ("resources: {mak: {}}", f"resources.mak: unknown stage 'mak'. Did you mean 'make'? Known: {STAGES}"),
        (
            "overrides: [{resources: {mak: {cpus: 1}}}]",
            "overrides[0].resources.mak: unknown stage or node 'mak'. Did you mean 'make'? "
            "Known: e, join, judge, m.e, m.model, m.x, make, model, search, step, x",
        ),
        (
            "resources: {make: {gpu: 1}}",
            "resources.make.gpu: unknown key 'gpu'. Did you mean 'gpus'? Known: cpus, gpus, memory_gib",
        ),
        ("resources: {make: {cpus: -1}}", "resources.make.cpus: must be at least 0, got -1"),
        ("resources: {make: {cpus: x}}", "resources.make.cpus: must be a number, got 'x'"),
        ("resources: {make: 3}", "resources.make: must be a mapping, got 3"),
        ("retries: {error: 1.5}", "retries.error: must be a whole number, got 1.5"),
        ("retries: {system: -1}", "retries.system: must be at least 0, got -1"),
        (
            "retries: {eror: 1}",
            "retries.eror: unknown key 'eror'. Did you mean 'error'? Known: error, system",
        ),
        ("keep: some", "keep: must be 'all' or 'metrics', got 'some'"),
        ("store: 3", "store: must be a folder, s3://bucket/prefix, or a mapping with uri, got 3"),
        ("store: {url: x}", "store.uri: this key is needed"),
        ("tables: [{rows: [a]}]", "tables[0].value: this key is needed"),
        ("tables: [{value: e}]", "tables[0].value: must be node.metric, such as clean.accuracy, got 'e'"),
        ("tables: [{value: f.x}]", "tables[0].value: unknown node 'f'. Known: e, model"),
        ("tables: [{value: e.x, rows: [b]}]", "tables[0].rows: unknown key 'b'. Known: a, e.count, method"),
        (
            "tables: [{value: e.x, average: b}]",
            "tables[0].average: unknown key 'b'. Known: a, e.count, method",
        ),
        ("tables: [{value: e.x, over: b}]", "tables[0].over: unknown key 'b'. Known: a, e.count, method"),
        (
            "tables: [{value: e.x, where: {count: 1}}]",
            "tables[0].where: unknown key 'count'. Did you mean 'e.count'? Known: a, e.count, method",
        ),
        ("tables: [{value: e.x, columns: 3}]", "tables[0].columns: must be a list, got 3"),
        ("tables: {value: e.x}", "tables: must be a list, got {'value': 'e.x'}"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_what_is_right(sweeps, setting, problem):
    assert problem in sweeps.problems(SWEEP + f"    {setting}")
