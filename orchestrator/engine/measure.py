"""Numbers about a try: those the stage returns, checked, and the memory it took."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import re
import resource
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from pathlib import Path
from typing import Any

STATM = Path("/proc/self/statm")


def numbers(given: Mapping[str, Any], kind: str) -> dict[str, float]:
    """``given`` as a flat mapping from name to finite float.

    Raises:
        TypeError: it is no mapping, or a value is no number.
        ValueError: a number is NaN or infinite.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"{kind}s must be a mapping from name to number, got a {type(given).__name__}")
    found = {}
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"a {kind} must be a number under a name, got {name!r}: a {type(value).__name__}")
        found[name] = float(value)
        if not math.isfinite(found[name]):
            raise ValueError(f"a {kind} must be a finite number, got {name!r}: {found[name]}")
    return found


def resident_bytes() -> int:
    """The memory this process holds now; where the kernel does not tell, the most it ever held."""
    if not STATM.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def clean_up() -> None:
    """Give back what nobody holds any more: cycles to the allocator, free pages to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def reset_peak_memory() -> bool:
    """Make the kernel forget this process's peak, so that `peak_memory_bytes` is that of one stage."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory_bytes() -> float:
    """The most memory this process has held since the last reset."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return float(found[1]) * 1024 if found else 0.0
