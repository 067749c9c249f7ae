"""Rules of a stage about what it reads: said when a sweep is planned, before anything runs."""

from __future__ import annotations

import pytest
from toys.base import TOY, plan_of
from toys.grow import Grow
from toys.judge import Judge

from orchestrator.errors import SpecError


def refusing(monkeypatch, rule) -> None:
    monkeypatch.setattr(Judge, "check_inputs", rule)


def amounts(inputs) -> list[float]:
    """The amounts from a model back to what it was made from."""
    found = []
    while inputs:
        (planned,) = inputs["model"]
        assert type(planned.stage) is Grow
        found.append(planned.stage.amount)
        inputs = planned.inputs
    return found


def test_a_stage_sees_what_it_reads_back_to_the_beginning(tmp_path, monkeypatch):
    seen = []
    refusing(monkeypatch, lambda self, inputs: seen.append(amounts(inputs)))
    plan_of(tmp_path)
    assert sorted(map(tuple, seen)) == sorted([(0.9,)] * 9 + [(0.01, 0.5, 0.9)] * 9 + [(0.01, 0.9, 0.9)] * 9)


def test_what_does_not_go_together_is_an_error_at_the_node_with_the_point(tmp_path, monkeypatch):
    def rule(self, inputs):
        if self.scale == 0.2 and 0.5 in amounts(inputs):
            raise ValueError("a half must not be judged at 0.2")

    refusing(monkeypatch, rule)
    with pytest.raises(SpecError) as refused:
        plan_of(tmp_path)
    (problem,) = refused.value.problems  # three seeds, said once
    assert problem.where.endswith("toy.yaml: evaluate.far")
    assert problem.what == "a half must not be judged at 0.2 (at sparsity=0.5, seed=0)"


def test_equal_stages_are_built_once(tmp_path, monkeypatch):
    built = {}
    refusing(monkeypatch, lambda self, inputs: built.setdefault(id(inputs["model"][0].stage), self))
    plan = plan_of(tmp_path)
    models = [stage for stage in range(len(plan)) if plan.node(stage).endswith(".model")]
    assert (
        len(models) == 9
    )  # 3 dense ones by their seeds; the sparse ones have no field that tells them apart
    assert len(built) == 4


@pytest.fixture
def half(monkeypatch):
    """`grow` has a part ``half`` unless it grows by 0.9; ``asked`` are the amounts it was asked with."""
    asked = []

    def rule(self, part):
        asked.append((self.amount, part))
        if self.amount == 0.9:
            raise ValueError(f"grow has no {part} at 0.9")

    monkeypatch.setattr(Grow, "parts", ("half",))
    monkeypatch.setattr(Grow, "check_part", rule)
    return asked


def test_a_part_that_the_fields_do_not_make_is_an_error_at_the_node_that_reads_it(tmp_path, half):
    text = TOY.replace(
        "far: {stage: judge, reads: {model: model}", "far: {stage: judge, reads: {model: model/half}"
    )
    with pytest.raises(SpecError) as refused:
        plan_of(tmp_path, text)
    (problem,) = refused.value.problems
    assert problem.where.endswith("toy.yaml: evaluate.far")
    assert problem.what == "grow has no half at 0.9 (at seed=0)"


def test_a_part_that_is_made_is_read_and_nobody_else_is_asked(tmp_path, half):
    text = TOY.replace("reads: {model: cut}, amount", "reads: {model: cut/half}, amount")
    assert len(plan_of(tmp_path, text.replace("sparsity: [0.5, 0.9]", "sparsity: [0.5, 0.8]"))) == 42
    assert set(half) == {(0.5, "half"), (0.8, "half")}
    half.clear()
    plan_of(tmp_path)
    assert half == []
