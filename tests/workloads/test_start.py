"""A process that runs its first stages has not waited for libraries that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = """
import json, sys
def tell(what):
    heavy = {"torch._dynamo", "torch._inductor", "sympy", "sklearn", "scipy", "pandas", "ray"}
    print(json.dumps([what, sorted(heavy & sys.modules.keys())]))
"""

OPTIMIZERS = """
from workloads.architectures.lenet import Lenet
from workloads.datasets.digits import Digits
from workloads.objectives.base import Batch
from workloads.optimizers.adam import Adam
from workloads.optimizers.adamw import AdamW
from workloads.optimizers.sgd import Sgd
import torch

data = Digits().learning()
network = Lenet().network(data.shape, data.classes, 0)
for kind in (Sgd, Adam, AdamW):
    optimizer = kind().build(network.parameters())
    network(data.train.images[:8].float() / 255).sum().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
    tell(kind.__name__)
"""

STAGES = """
import orchestrator

plan = orchestrator.load("sweep.yaml").plan()
tell("plan")
assert orchestrator.run(plan, engine="inline").done == len(plan)
tell("run")
"""

SWEEP = """
name: first
axes: {dataset: [digits], seed: [0]}
methods:
  pruned:
    dense:  {stage: train, architecture: mlp, dataset: $dataset, seed: $seed, epochs: 1}
    cut:    {stage: prune, reads: {model: dense}, criterion: magnitude, sparsity: 0.5}
    model:  {stage: train, reads: {model: cut}, seed: $seed, epochs: 1}
evaluate:
  clean:    {stage: classify, reads: {model: model}}
  robust:   {stage: attack, reads: {model: model}, attack: {name: pgd, epsilon: 0.1, steps: 1}}
  features: {stage: features, reads: {model: model}}
"""


def loaded(code, folder):
    """What heavy modules are there, by moment."""
    found = subprocess.run(
        [sys.executable, "-c", HEAVY + code], capture_output=True, text=True, check=True, cwd=folder
    )
    return dict(map(json.loads, found.stdout.splitlines()))


def test_no_optimizer_imports_a_compiler_or_statistics(tmp_path):
    assert loaded(OPTIMIZERS, tmp_path) == {"Sgd": [], "Adam": [], "AdamW": []}


def test_the_first_stages_of_a_process_import_no_compiler_and_no_statistics(tmp_path):
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    assert loaded(STAGES, tmp_path) == {"plan": [], "run": []}


def test_the_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    from workloads.datasets.digits import _table

    raw, table = load_digits(), _table()
    assert (table[:, :-1].numpy() == raw.data).all()
    assert (table[:, -1].numpy() == raw.target).all()
