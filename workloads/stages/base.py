"""What every stage that computes with torch promises: it leaves the process as it found it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch

from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class TorchStage(Stage):
    """A stage that runs in a clean room: its thread count and its torch settings, whatever ran before."""

    @final
    def run(self, space: Workspace) -> Mapping[str, float]:
        with clean_room(space):
            return self.compute(space)

    @abstractmethod
    def compute(self, space: Workspace) -> Mapping[str, float]:
        """As `run`; threads, random state, precision and grad mode are put back afterwards."""


@contextmanager
def clean_room(space: Workspace) -> Iterator[None]:
    """Torch as every stage expects it, with threads from the stage's CPUs; afterwards torch as it was."""
    threads = torch.get_num_threads()
    # Not `use_deterministic_algorithms`: that one tells torch's compiler too, which takes 4 s to import.
    deterministic = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    on_cpu = space.device == "cpu"
    with (
        torch.random.fork_rng(devices=[] if on_cpu else [torch.cuda.current_device()]),
        torch.enable_grad(),
        # Algorithms chosen by trial are quicker on a GPU, where results are promised only within noise.
        torch.backends.cudnn.flags(enabled=True, benchmark=not on_cpu, deterministic=on_cpu, allow_tf32=True),
    ):
        try:
            torch.set_num_threads(max(1, int(space.cpus)))
            torch.set_deterministic_debug_mode("error" if on_cpu else "default")
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            torch.set_default_dtype(torch.float32)
            torch.set_float32_matmul_precision("highest")
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.set_default_dtype(dtype)
            torch.set_float32_matmul_precision(precision)
