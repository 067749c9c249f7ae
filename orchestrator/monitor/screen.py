"""A snapshot as a picture for a terminal, at least 60 columns wide; every line fits."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.monitor.durations import clock, roughly
from orchestrator.monitor.snapshot import Running, Snapshot

#: Lines that are not running stages: header, counts, gaps, failures, a note.
FRAME = 10
FAILURES = 3


def picture(found: Snapshot, height: int) -> RenderableType:
    """A bar, the counts, what runs, what failed last and the last note, in ``height`` lines."""
    return Group(*_parts(found, max(3, height - FRAME)))


def _parts(found: Snapshot, room: int) -> Iterator[RenderableType]:
    yield _header(found)
    yield line(counts(found), "dim")
    if found.running:
        yield Text()
        yield _running(found.running, room)
        if len(found.running) > room:
            yield line(f"and {len(found.running) - room} more", "dim")
    if found.failed:
        yield Text()
        for failed in found.failed[-FAILURES:]:
            yield line(f"failed {failed.label}: {failed.reason}", "red")
    if found.note:
        yield line(found.note, "yellow")


def counts(found: Snapshot) -> str:
    """The rest of the numbers in a line: ``3 running · 1 failed · 4.1/s · about 2 min left · 0:31``."""
    parts = [f"{len(found.running)} running"] if found.running else []
    parts += [f"{len(found.failed)} failed"] if found.failed else []
    parts += [f"{len(found.blocked):,} blocked"] if found.blocked else []
    parts += [f"{found.missing:,} waiting"] if found.missing else []
    parts += [f"{found.rate:.1f}/s"] if found.rate and found.rate >= 1 else []
    parts += [f"{found.rate * 60:.1f}/min"] if found.rate and found.rate < 1 else []
    parts += [f"about {roughly(found.eta_seconds)} left"] if found.eta_seconds else []
    return " · ".join([*parts, clock(found.seconds)])


def line(text: str, style: str) -> Text:
    """One line of ``text``, cut where the terminal ends."""
    return Text(" ".join(text.split()), style=style, no_wrap=True, overflow="ellipsis")


def _header(found: Snapshot) -> Table:
    header = Table.grid(expand=True, padding=(0, 1))
    header.add_column(no_wrap=True, overflow="ellipsis", max_width=30)
    header.add_column(ratio=1)
    header.add_column(no_wrap=True, justify="right")
    share = found.done / found.total if found.total else 1.0
    header.add_row(
        Text(found.name, style="bold"),
        ProgressBar(total=max(found.total, 1), completed=found.done),
        f"{found.done:,}/{found.total:,}  {int(100 * share)} %",
    )
    return header


def _running(running: tuple[Running, ...], room: int) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=18)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right")
    for item in sorted(running, key=lambda item: -item.seconds)[:room]:
        again = f"try {item.attempt}: " if item.attempt > 1 else ""
        metric = next((f"{name.rpartition('.')[2]} {value:.4g}" for name, value in item.metrics.items()), "")
        steps = f"{item.done}/{item.total}" if item.total else ""
        table.add_row(Text(again + item.short), Text(metric), steps, clock(item.seconds))
    return table
