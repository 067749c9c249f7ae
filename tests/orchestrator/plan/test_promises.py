"""What a plan promises about addresses, jobs and missing stages; and a planner that is slow and plain."""

from __future__ import annotations

import pickle
import random
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from universe.telling import SMALL, stage_of, told

from orchestrator import identity
from orchestrator.errors import SpecError
from orchestrator.spec import load

DATA = Path(__file__).parents[2] / "data"
FILES = ("finetune", "lottery", "moon", "quickstart_shape", "search")
GOLDEN = [
    ("quickstart_shape", "dense.model", {"architecture": "mlp", "seed": 0}, "4f8b26e86c2ec4d1"),
    (
        "quickstart_shape",
        "magnitude.robust",
        {"architecture": "mlp", "sparsity": 0.5, "seed": 0},
        "629e3a3ba32bc883",
    ),
    ("quickstart_shape", "dense.ensemble", {"architecture": "mlp"}, "ba480b339689b97a"),
    (
        "lottery",
        "lottery.model",
        {"dataset": "mnist", "loss": "pgd", "rewind": "random", "round": 20, "seed": 2},
        "6481056e8bcd17bf",
    ),
    (
        "moon",
        "moon.ood",
        {
            "architecture": "wide_resnet(depth=22, width=2)",
            "dataset": "mnist",
            "topology": "rigl",
            "sparsity": 0.9,
            "seed": 4,
            "ood": "kmnist",
            "detector": "knn(k=50)",
        },
        "34ee046662ea85e2",
    ),
    ("search", "rigl.search", {"dataset": "glyphs"}, "9865e525c7c0e397"),
]


@pytest.fixture(scope="module", params=FILES)
def plan(request):
    return load(DATA / f"{request.param}.yaml", package="universe.stages").plan()


def test_the_template_gives_the_address_of_the_dataclass_for_every_stage(plan):
    for stage in range(len(plan)):
        job = plan.job(stage)
        built = stage_of(job)
        inputs = {"try": [attempt.address for attempt in job.tries]} if job.tries else job.inputs
        assert identity.text_of(built, inputs) == job.text
        assert identity.address(built, inputs) == identity.digest(job.text) == job.address
        assert plan.addresses[stage] == job.address
        assert plan.id_of(job.address) == stage


def test_parents_come_before_children_and_are_what_the_inputs_name(plan):
    children = plan.children()
    for stage in range(len(plan)):
        parents = plan.parents(stage)
        assert all(parent < stage for parent in parents)
        assert all(stage in children[parent] for parent in parents)
        job = plan.job(stage)
        inputs = [
            each for given in job.inputs.values() for each in (given if isinstance(given, list) else [given])
        ]
        if not job.tries:
            assert [plan.id_of(each.partition("/")[0]) for each in inputs] == list(parents)


def test_a_plan_has_only_what_its_trials_ask_for_and_their_ancestors(plan):
    asked = {output.stage for trial in plan.trials for output in trial.outputs}
    assert plan.targets == sorted(asked)
    assert closure(plan, asked, set()) == set(range(len(plan)))
    assert len(set(plan.addresses)) == len(plan)


def closure(plan, targets, done):
    """What a run would execute, by recursion on the definition."""
    found = set()

    def visit(stage):
        if stage not in found and plan.addresses[stage] not in done:
            found.add(stage)
            for parent in plan.parents(stage):
                visit(parent)

    for stage in targets:
        visit(stage)
    return found


def test_missing_is_exactly_what_an_undone_target_needs(plan):
    pick = random.Random(1)
    for share in (0.0, 0.1, 0.5, 0.9, 0.99, 1.0):
        done = {address for address in plan.addresses if pick.random() < share}
        assert plan.missing(done) == sorted(closure(plan, plan.targets, done))
    assert plan.missing(set()) == list(range(len(plan)))
    assert plan.missing(set(plan.addresses)) == []


def test_a_dropped_payload_of_a_done_ancestor_is_not_missing_until_a_child_needs_it(plan):
    done = set(plan.addresses) - {plan.addresses[0]}
    assert plan.missing(done) == ([0] if 0 in plan.targets else [])


def test_a_job_travels(plan):
    job = plan.job(len(plan) - 1)
    assert pickle.loads(pickle.dumps(job)) == job


def test_trials_are_a_sequence(plan):
    trials = list(plan.trials)
    assert len(plan.trials) == len(trials)
    assert plan.trials[0] == trials[0]
    assert plan.trials[-1] == trials[-1]
    assert plan.trials[1:3] == trials[1:3]
    assert len({frozenset(trial.point.items()) for trial in trials}) == len(trials)
    with pytest.raises(IndexError):
        plan.trials[len(trials)]


@pytest.mark.parametrize(("name", "node", "point", "address"), GOLDEN)
def test_an_address_never_changes_by_accident(name, node, point, address):
    plan = load(DATA / f"{name}.yaml", package="universe.stages").plan()
    jobs = map(plan.job, range(len(plan)))
    assert [job.address for job in jobs if job.node == node and point.items() <= job.point.items()] == [
        address
    ]


# -- random sweeps, against a planner that follows the definitions word by word

AXES = ("a", "b", "c")


@st.composite
def sweeps(draw):
    """The data of a sweep: nodes that read earlier ones at moved points."""
    axes = {name: draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)) for name in AXES}
    points = list(product(*axes.values()))
    out = draw(st.lists(st.sampled_from(points), max_size=len(points) // 2, unique=True))
    nodes = {}
    for i in range(draw(st.integers(1, 4))):
        node = {"stage": "make", "value": [f"${axis}" for axis in draw(st.sets(st.sampled_from(AXES)))]}
        if i:
            target = f"n{draw(st.integers(0, i - 1))}"
            many = draw(st.booleans())
            values = st.sampled_from([0, 1, "$a", "$b", "$c", *(["all", [2, 0]] if many else [])])
            at = draw(st.dictionaries(st.sampled_from(AXES), values, max_size=2))
            node |= {"stage": "join" if many else "step"}
            node["reads"] = {"models" if many else "model": {"node": target, "at": at}}
        nodes[f"n{i}"] = node
    nodes["model"] = {"stage": "join", "value": ["$a", "$b", "$c"], "reads": {"models": sorted(nodes)}}
    exclude = [dict(zip(AXES, point, strict=True)) for point in out]
    return {"name": "random", "axes": axes, "exclude": exclude, "methods": {"m": nodes}}


class Plain:
    """Plans by following the definitions, point by point; a stage is what `told` says of it."""

    def __init__(self, data):
        self.nodes = data["methods"]["m"]
        self.rows = [
            dict(zip(AXES, values, strict=True))
            for values in product(*(data["axes"][axis] for axis in AXES))
            if dict(zip(AXES, values, strict=True)) not in data["exclude"]
        ]

    def reads(self, node):
        for role in self.nodes[node].get("reads", {}).values():
            for each in role if isinstance(role, list) else [role]:
                yield (each, {}) if isinstance(each, str) else (each["node"], each["at"])

    def depends(self, node):
        found = {axis[1:] for axis in self.nodes[node]["value"]}
        for target, at in self.reads(node):
            found |= self.depends(target) - at.keys()
            found |= {value[1:] for value in at.values() if isinstance(value, str) and value[0] == "$"}
        return found

    def moved(self, target, at, point):
        """The points of ``target`` that a reference means, in order."""
        depends = sorted(self.depends(target))
        wanted = {
            axis: point[value[1:]] if isinstance(value, str) and value[0] == "$" else value
            for axis, value in at.items()
        }
        fixed = {axis: wanted.get(axis, point.get(axis)) for axis in depends if wanted.get(axis) != "all"}
        choices = [value if isinstance(value, list) else [value] for value in fixed.values()]
        starts = [dict(zip(fixed, values, strict=True)) for values in product(*choices)]
        gathered = [axis for axis in depends if wanted.get(axis) == "all"]
        found = []
        for start in starts:
            alike = [row for row in self.rows if all(row[axis] == start[axis] for axis in start)]
            if gathered and not alike:
                raise LookupError(target)
            found += (
                [start | {axis: row[axis] for axis in gathered} for row in alike] if gathered else [start]
            )
        return sorted(found, key=lambda there: [there[axis] for axis in depends])

    def told(self, node, point):
        kind, value = self.nodes[node]["stage"], [point[axis[1:]] for axis in self.nodes[node]["value"]]
        parts = [f"value={value}"]
        inputs = [
            self.told(target, there)
            for target, at in self.reads(node)
            for there in self.moved(target, at, point)
        ]
        if kind == "join":
            parts.append(f"models=[{', '.join(dict.fromkeys(inputs))}]")
        elif kind == "step":
            parts.append(f"model={inputs[0]}")
        return f"{kind}({', '.join(parts)})"


def planned(data, folder):
    path = folder / "random.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return load(path, package=SMALL).plan()


def shuffled(value, order, keep=False):
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order, key in ("models", "value")) for key in keys}
    if isinstance(value, list):
        items = list(value)
        if not keep:
            order.shuffle(items)
        return [shuffled(item, order) for item in items]
    return value


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("random")


@settings(max_examples=150, deadline=None)
@given(sweeps())
def test_a_random_sweep_is_planned_as_the_definitions_say(folder, data):
    plain = Plain(data)
    try:
        expected = {frozenset(row.items()): plain.told("model", row) for row in plain.rows}
    except LookupError:
        with pytest.raises(SpecError, match="to gather"):
            planned(data, folder)
        return
    plan = planned(data, folder)
    found = {
        frozenset((axis, value) for axis, value in trial.point.items() if axis != "method"): told(
            plan, trial.outputs[0].stage
        )
        for trial in plan.trials
    }
    assert found == expected
    assert len({told(plan, stage) for stage in range(len(plan))}) == len(plan)  # equal stages are one
    for stage in range(len(plan)):
        job = plan.job(stage)
        assert identity.address(stage_of(job), job.inputs) == job.address
    nodes = {f"m.{node}": tuple(sorted(plain.depends(node))) for node in plain.nodes}
    assert plan.nodes().items() <= nodes.items()


@settings(max_examples=60, deadline=None)
@given(sweeps(), st.randoms(use_true_random=False))
def test_the_order_of_a_file_decides_no_address(folder, data, order):
    try:
        plan = planned(data, folder)
    except SpecError:
        return
    other = planned(shuffled(data, order), folder)
    assert set(plan.addresses) == set(other.addresses)
    cells = [
        {frozenset(trial.point.items()): each.addresses[trial.outputs[0].stage] for trial in each.trials}
        for each in (plan, other)
    ]
    assert cells[0] == cells[1]


@settings(max_examples=60, deadline=None)
@given(sweeps(), st.sampled_from(AXES))
def test_a_selection_of_a_random_sweep_is_a_part_of_it(folder, data, axis):
    try:
        plan = planned(data, folder)
    except SpecError:
        return
    value = plan.trials[0].point[axis]
    part = plan.sweep.plan([f"{axis}={value}"])
    assert set(part.addresses) <= set(plan.addresses)
    assert len(part.trials) == sum(trial.point[axis] == value for trial in plan.trials)
