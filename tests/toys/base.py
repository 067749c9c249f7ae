"""The sweep that the tests run."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from orchestrator.spec import load

TOY = """\
name: toy
axes:
  method: [dense, sparse]
  sparsity: [0.5, 0.9]
  seed: [0, 1, 2]
methods:
  dense: {model: {stage: grow, amount: 0.9, seed: $seed}}
  sparse:
    cut: {stage: grow, reads: {model: dense.model}, amount: $sparsity, warning: cut without care}
    model: {stage: grow, reads: {model: cut}, amount: 0.01}
evaluate:
  clean: {stage: judge, reads: {model: model}}
  far: {stage: judge, reads: {model: model}, each: {scale: [0.1, 0.2]}}
tables:
  - {rows: [method], columns: sparsity, value: clean.accuracy}
  - {rows: [method], columns: sparsity, value: far.accuracy, where: {far.scale: 0.1}}
"""
#: Trials, stages without sharing, unique: 3 dense models with 3 judges, then 6 cuts, 6 models and 18 judges.
TRIALS, STAGES, UNIQUE = 9, 3 * 4 + 6 * 6, 3 * 4 + 6 * 5


def write(folder: Path, text: str = TOY) -> Path:
    """The sweep file ``toy.yaml`` in ``folder``."""
    path = folder / "toy.yaml"
    path.write_text(dedent(text))
    return path


def plan_of(folder: Path, text: str = TOY, where=(), **options):
    """The plan of the toy sweep, or of another one made of toys."""
    return load(write(folder, text), package="toys", **options).plan(where)
