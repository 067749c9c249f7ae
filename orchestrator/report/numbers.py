"""Numbers as people read them: a fraction in percent with one decimal, anything else with four digits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.report.cell import Cell
from orchestrator.report.rows import ABSENT

#: Metrics that are fractions of one: their name without node and split, or its beginning up to an underscore.
FRACTIONS = frozenset(
    [
        "accuracy",
        "error",
        "ece",
        "auroc",
        "aupr",
        "fpr",
        "fpr95",
        "density",
        "sparsity",
        "coverage",
        "confidence",
        "clean",
        "certified",
        "abstained",
        "mce",
        "ccr",
        "adaptive",
        "classwise",
        "aurc",
        "excess",
        "explored",
    ]
)
#: What metrics that are the share of something that is left end with: ``channels_left``.
SHARE = "_left"
#: Words of metrics of which less is better.
LOWER = frozenset(
    [
        "abstained",
        "aurc",
        "brier",
        "bytes",
        "ece",
        "error",
        "flops",
        "fpr",
        "fpr95",
        "loss",
        "mce",
        "nll",
        "nonzeros",
        "parameters",
    ]
)
BEFORE = re.compile(r"^(?:[a-z]\w*\.(?=[a-z]))+")
LARGE = 1e6


def in_percent(metrics: Iterable[str]) -> bool:
    """Whether the numbers of these metrics are shown in percent: all of them are fractions by their names."""
    names = [BEFORE.sub("", metric) for metric in metrics]
    return bool(names) and all(name.partition("_")[0] in FRACTIONS or name.endswith(SHARE) for name in names)


def lower_is_better(metrics: Iterable[str], better: str | None = None) -> bool:
    """Whether less of these metrics is better: as ``better`` says, else as their names do."""
    if better is not None:
        return better == "lower"
    return any(word in LOWER for metric in metrics for word in BEFORE.sub("", metric).split("_"))


def named(title: str, percent: bool) -> str:
    """The header of a value: its title, and its unit where that is percent."""
    return f"{title} (%)" if percent else title


def cell_text(cell: Cell | None, percent: bool, with_n: bool = True) -> str:
    """A cell: ``93.1 ± 0.2 (n=3)``; one value has no spread, and a missing one is a dash."""
    if cell is None or cell.mean is None:
        return ABSENT
    if percent:
        text = f"{100 * cell.mean:.1f}"
        spread = "" if cell.deviation is None else f" ± {100 * cell.deviation:.1f}"
    else:
        text = number(cell.mean)
        spread = "" if cell.deviation is None else f" ± {spread_of(cell.deviation)}"
    return f"{text}{spread} (n={cell.n})" if with_n else f"{text}{spread}"


def number(value: float) -> str:
    """Four significant digits; a whole number in full."""
    if value == int(value) and abs(value) < LARGE:
        return str(int(value))
    return f"{value:#.4g}".rstrip(".")


def spread_of(deviation: float) -> str:
    """Two significant digits, and no more than to the unit: ``0.089``, ``1.4``, ``120``."""
    return f"{deviation:.0f}" if deviation >= 10 or not deviation else f"{deviation:#.2g}"  # noqa: PLR2004


def counted(counts: Sequence[int]) -> str:
    """How many values stand behind each number: ``n=3``, or ``n=2 to 3``; ``counts`` ascend."""
    if not counts:
        return "no results yet"
    least, most = counts[0], counts[-1]
    return f"n={least}" if least == most else f"n={least} to {most}"
