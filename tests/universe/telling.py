"""How the tests write a sweep and read a plan."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from textwrap import dedent

from orchestrator import build
from orchestrator.errors import SpecError
from orchestrator.spec import load

SMALL = "universe.small.stages"


def stage_of(job):
    """The stage a job describes."""
    return build.build_class(build.find(job.package, job.stage), job.fields)


def told(plan, stage):
    """A stage and what it reads as one line: ``step(value=1, model=make(number=0.5))``.

    Fields at their default are left out; an input of a part reads ``make()/best``.
    """
    job = plan.job(stage)
    built = stage_of(job)
    parts = [
        f"{field.name}={getattr(built, field.name)!r}"
        for field in dataclasses.fields(built)
        if getattr(built, field.name) != build.default_of(field)
    ]
    for role, given in sorted(job.inputs.items()):
        several = given if isinstance(given, list) else [given]
        said = ", ".join(_told_input(plan, each) for each in several)
        parts.append(f"{role}=[{said}]" if isinstance(given, list) else f"{role}={said}")
    return f"{job.stage}({', '.join(parts)})"


def _told_input(plan, given):
    address, slash, part = given.partition("/")
    return told(plan, plan.id_of(address)) + slash + part


def results(plan, node="model"):
    """What every trial has at ``node``, in the order of the trials, told."""
    return [
        told(plan, output.stage) for trial in plan.trials for output in trial.outputs if output.node == node
    ]


def everything(plan):
    """Every stage of a plan, told, sorted."""
    return sorted(told(plan, stage) for stage in range(len(plan)))


def points(plan):
    """The points of the trials, without the method."""
    return [{key: value for key, value in trial.point.items() if key != "method"} for trial in plan.trials]


class Sweeps:
    """Writes sweep files into a folder and reads them; ``name: test`` is put in front."""

    def __init__(self, folder: Path, package: str = SMALL) -> None:
        self.path = folder / "x.yaml"
        self.package = package

    def write(self, text):
        text = dedent(text).lstrip("\n")
        self.path.write_text(text if text.startswith("name:") else f"name: test\n{text}")

    def load(self, text, **options):
        self.write(text)
        return load(self.path, package=self.package, **options)

    def plan(self, text, where=(), **options):
        return self.load(text, **options).plan(where)

    def problems(self, text, where=(), **options):
        """Every problem of a sweep file, as a user reads it, less the path of the file."""
        try:
            self.plan(text, where, **options)
        except SpecError as error:
            return [str(problem).removeprefix(f"{self.path}: ") for problem in error.problems]
        return []
