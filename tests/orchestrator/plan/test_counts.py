"""The sweep files of tests/data plan with the counts that two independent planners agreed on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from orchestrator.spec import load

DATA = Path(__file__).parents[2] / "data"
COUNTS = {  # points, trials, stages of one chain per trial, unique, trainings
    "quickstart_shape": (127, 67, 1646, 1005, 103),
    "lottery": (1134, 1134, 33264, 6696, 1098),
    "moon": (600, 520, 10400, 10400, 520),
    "finetune": (450, 450, 2160, 1356, 366),
    "search": (72, 72, 276, 176, 82),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_sweep_plans_with_the_agreed_counts(name):
    plan = load(DATA / f"{name}.yaml", package="universe.stages").plan()
    kinds = Counter(plan.stage_name(stage) for stage in range(len(plan)))
    _, trials, stages, unique, trainings = COUNTS[name]
    assert (len(plan.trials), plan.chains(), len(plan), kinds["train"]) == (trials, stages, unique, trainings)
    if name == "search":
        assert kinds["search"] == 6
