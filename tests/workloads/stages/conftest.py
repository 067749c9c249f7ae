"""A workspace as the engine gives it, with what a test wants to see of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from orchestrator.stage import Stop, Workspace
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.stages.train import Train


class Watch:
    """Checkpoints and progress of one stage over all its attempts; stops an attempt after a given step."""

    def __init__(self, folder: Path, stops: tuple[int, ...] = ()) -> None:
        self.folder = folder
        self.stops = list(stops)
        self.reports: list[tuple[int, int, dict[str, float]]] = []
        self.saved: list[int] = []
        self.begun = self.asked = 0

    def due(self) -> bool:
        self.asked += 1
        return self.stops[:1] == [self.begun + self.asked]

    def latest(self) -> tuple[int, Path] | None:
        self.begun = self.saved[-1] if self.saved else 0
        self.asked = 0
        return (self.begun, self.folder / str(self.begun)) if self.begun else None

    def save(self, step: int, folder: Path) -> None:
        folder.rename(self.folder / str(step))
        self.saved.append(step)

    def progress(self, done: int, total: int, **metrics: float) -> None:
        self.reports.append((done, total, metrics))
        if self.stops and done == self.stops[0]:
            self.stops.pop(0)
            raise Stop


class Runs:
    """Runs stages, each attempt in folders of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.numbers = itertools.count()

    @staticmethod
    def small(**fields) -> Train:
        """A training of a second or less: two epochs of nine steps."""
        return Train(
            **{"seed": 0, "epochs": 2, "architecture": Mlp(hidden=(30,)), "dataset": Digits()} | fields
        )

    @staticmethod
    def files(folder: Path) -> dict[str, bytes]:
        """All that lies in ``folder``."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    def watch(self, *stops: int) -> Watch:
        folder = self.root / f"checkpoints-{next(self.numbers)}"
        folder.mkdir()
        return Watch(folder, stops)

    def space(self, *, cpus: float = 1.0, watch: Watch | None = None, **inputs) -> Workspace:
        folder = self.root / f"attempt-{next(self.numbers)}"
        for name in ("output", "scratch"):
            (folder / name).mkdir(parents=True)
        watch = watch or self.watch()
        return Workspace(inputs, folder / "output", folder / "scratch", watch, watch.progress, cpus=cpus)

    def __call__(self, stage, **given):
        """The workspace and the metrics of one attempt."""
        space = self.space(**given)
        return space, stage.run(space)

    def output(self, stage, **given) -> Path:
        """What the stage wrote."""
        return self(stage, **given)[0].output


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="session")
def shared_runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def trained(shared_runs):
    """A small network that has learned the digits for two epochs."""
    return shared_runs.output(shared_runs.small())
