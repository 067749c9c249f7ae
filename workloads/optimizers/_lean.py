"""Optimizers that start at once.

torch marks an optimizer's methods for its compiler, and the mark imports ``torch._dynamo`` when the first of
them is called: 2 to 4 seconds in every process that trains. Nothing here compiles an optimizer.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch


@cache
def lean(kind: type[torch.optim.Optimizer]) -> Any:
    """``kind`` with the same arithmetic and without the compiler's marks, as far as this torch has them."""
    for method in vars(torch.optim.Optimizer).values():
        marked = getattr(method, "__wrapped__", None)
        if marked is not None and not hasattr(marked, "__dynamo_disable"):
            marked.__dynamo_disable = marked
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"step": step, "__module__": kind.__module__})
