"""Stages on a pool of warm Ray actors, on this machine or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from orchestrator.engine.base import Engine
from orchestrator.engine.work import Summary, Work
from orchestrator.errors import InputError

MEBIBYTE = 2**20


@final
@dataclass(frozen=True)
class RayPool(Engine):
    """Runs as many stages at once as the cluster holds, each on a worker of its resource shape."""

    workers: int | None = None
    """How many at most; None: as many as fit."""
    address: str | None = None
    """The cluster to join; None: that in ``RAY_ADDRESS``, or a new one on this machine."""
    autoscaler: bool | None = None
    """Whether the cluster grows on demand; None: found out."""
    grace_seconds: float = 30.0
    """How long running stages have to save their state when a stop is asked for."""
    patience_seconds: float = 10.0
    """How long ready stages of one shape wait for a place before busy workers of another make one."""
    memory_growth_gib: float = 8.0
    """A worker that holds so much more than when it began is replaced by a fresh one."""
    cpus: int | None = None
    """The CPUs of a new local cluster; None: those of the machine."""
    object_store_bytes: int = 128 * MEBIBYTE
    """The object store of a new local cluster. Outputs never go through it."""

    def _drain(self, work: Work) -> Summary:
        # Imported here: a second run of a finished sweep needs no Ray.
        from orchestrator.engine.cluster import can_grow, joined
        from orchestrator.engine.pool import Limits, Pool

        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers must be at least 1, got {self.workers}")
        limits = Limits(self.workers, self.grace_seconds, self.patience_seconds, self.memory_growth_gib)
        try:
            with joined(self.address, cpus=self.cpus, object_store_bytes=self.object_store_bytes):
                grows = can_grow() if self.autoscaler is None else self.autoscaler
                return Pool(work, self._settings(), limits, can_grow=grows).drain()
        except KeyboardInterrupt:
            return Summary(interrupted=True)
