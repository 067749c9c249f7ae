"""Where a training runs: its device, its scratch folder, its checkpoints and whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Checkpoint(Protocol):
    """Where the state goes when it is due."""

    def due(self) -> bool:
        """Whether the state should be saved now."""
        ...

    def latest(self) -> tuple[int, Path] | None:
        """The step and folder of the newest state."""
        ...

    def save(self, step: int, folder: Path) -> None:
        """Take over ``folder``."""
        ...


class Progress(Protocol):
    """Whoever watches; may end the training by raising."""

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        """Report ``done`` of ``total`` steps."""
        ...


@dataclass(frozen=True)
class Host:
    """Where a training runs."""

    device: str
    scratch: Path
    checkpoint: Checkpoint
    progress: Progress
