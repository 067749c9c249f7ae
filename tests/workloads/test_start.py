"""A process that trains its first network has not waited for libraries that it does not need."""

from __future__ import annotations

import subprocess
import sys

TRAINING = """
import sys
from workloads.architectures.lenet import Lenet
from workloads.datasets.digits import Digits
from workloads.objectives.base import Batch
from workloads.optimizers.NAME import CLASS
import workloads.stages.train
import torch

data = Digits().learning()
network = Lenet().network(data.shape, data.classes, 0)
optimizer = CLASS().build(network.parameters())
network(data.train.images[:8].float() / 255).sum().backward()
torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
heavy = {"torch._dynamo", "sympy", "sklearn", "scipy", "pandas", "ray"}
print(sorted(heavy & sys.modules.keys()))
"""


def loaded(name, kind):
    code = TRAINING.replace("NAME", name).replace("CLASS", kind)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def test_the_first_training_of_a_process_imports_no_compiler_and_no_statistics():
    assert loaded("sgd", "Sgd") == "[]"
    assert loaded("adam", "Adam") == "[]"
    assert loaded("adamw", "AdamW") == "[]"


def test_the_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    from workloads.datasets.digits import _table

    raw, table = load_digits(), _table()
    assert (table[:, :-1].numpy() == raw.data).all()
    assert (table[:, -1].numpy() == raw.target).all()
