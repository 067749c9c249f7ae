"""``sparsweep store ls``: what lies in a store, by sweep and by stage."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from orchestrator.cli.guard import say
from orchestrator.cli.store.given import Given, amount, counted
from orchestrator.plan import Plan
from orchestrator.storage.inventory import Inventory, take_stock
from orchestrator.storage.manifest import Manifest

#: How the outputs that no given sweep refers to are called.
OTHERS = "(others)"
DAMAGED = "(unreadable)"
UNFINISHED = "(not done)"


@dataclass
class Line:
    """The outputs of one stage name, of one sweep if sweeps are given."""

    sweep: str | None
    stage: str
    outputs: int = 0
    planned: int | None = None
    """How many the sweep has in all."""
    size: int = 0
    """Bytes of payload."""
    dropped: int = 0
    """Outputs whose files are gone while they stay done."""
    checkpoints: int = 0
    checkpoint_size: int = 0


def list_store(given: Given, as_json: bool) -> int:
    """Print what the store holds."""
    store = given.open_store()
    stock = take_stock(store)
    manifests = store.manifests(stock.manifests, stock.listed)
    lines = list(summed(stock, manifests, given.plans))
    if as_json:
        print(json.dumps(as_data(store.uri, stock, lines), indent=1, ensure_ascii=False))
        return 0
    print(text(stock, lines, bool(given.plans)))
    total = sum(folder.size for folders in stock.attempts.values() for folder in folders)
    say(f"{store.uri}: {counted(len(stock.manifests), 'output')}, {amount(total)} of payload.")
    if stock.quarantine:
        say(f"Put aside below quarantine/: {counted(len(stock.quarantine), 'damaged output')}.")
    return 0


def summed(stock: Inventory, manifests: Mapping[str, Manifest], plans: Iterable[Plan]) -> Iterator[Line]:
    """The lines, by sweep in the order given, by stage in the order of the plan."""
    rest = {*stock.manifests, *stock.checkpoints}
    named = False
    for plan in plans:
        named = True
        stages = {address: plan.stage_name(stage) for stage, address in enumerate(plan.addresses)}
        stages |= {address: stage_of(address, manifests) for address in plan.referred() - stages.keys()}
        planned = Counter(stages.values())
        yield from _lines(stock, manifests, stages, plan.sweep.name, planned)
        rest -= stages.keys()
    stages = {
        address: stage_of(address, manifests) if address in stock.manifests else UNFINISHED
        for address in sorted(rest)
    }
    ordered = dict(sorted(stages.items(), key=lambda pair: pair[1]))
    yield from _lines(stock, manifests, ordered, OTHERS if named else None, None)


def stage_of(address: str, manifests: Mapping[str, Manifest]) -> str:
    """The name of the stage that made an output."""
    manifest = manifests.get(address)
    return manifest.stage if manifest else DAMAGED


def _lines(
    stock: Inventory,
    manifests: Mapping[str, Manifest],
    stages: Mapping[str, str],
    sweep: str | None,
    planned: Mapping[str, int] | None,
) -> Iterator[Line]:
    found: dict[str, Line] = {}
    for address, stage in stages.items():
        line = found.setdefault(stage, Line(sweep, stage, planned=planned[stage] if planned else None))
        sizes = [folder.size for folder in stock.attempts.get(address, ())]
        line.outputs += address in stock.manifests
        line.size += sum(sizes)
        line.dropped += not sizes and address in manifests and bool(manifests[address].files)
        saved = [folder for folder in stock.checkpoints.get(address, ()) if folder.marker is not None]
        line.checkpoints += len(saved)
        line.checkpoint_size += sum(folder.size for folder in saved)
    yield from found.values()


def as_data(uri: str, stock: Inventory, lines: Iterable[Line]) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "uri": uri,
        "outputs": len(stock.manifests),
        "bytes": sum(folder.size for folders in stock.attempts.values() for folder in folders),
        "stages": [asdict(line) for line in lines],
        "runs": [asdict(run) for run in stock.runs],
        "quarantine": len(stock.quarantine),
    }


def text(stock: Inventory, lines: Iterable[Line], with_sweeps: bool) -> str:
    """The tables for people."""
    rows = [
        (
            *([line.sweep or ""] if with_sweeps else []),
            line.stage,
            f"{line.outputs:,}" + (f" of {line.planned:,}" if line.planned is not None else ""),
            amount(line.size),
            f"{line.dropped:,}",
            f"{line.checkpoints:,}" + (f" ({amount(line.checkpoint_size)})" if line.checkpoints else ""),
        )
        for line in lines
    ]
    headers = [*(["sweep"] if with_sweeps else []), "stage", "outputs", "payload", "dropped", "checkpoints"]
    left = 2 if with_sweeps else 1
    tables = [_table(rows, headers, left)]
    runs: dict[str, list[str]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    for run in stock.runs:
        runs[run.sweep].append(run.run)
        sizes[run.sweep] += run.size
    if runs:
        last = [(name, f"{len(ids):,}", max(ids), amount(sizes[name])) for name, ids in runs.items()]
        tables.append(_table(last, ["runs of", "runs", "last", "journals"], 1))
    return "\n\n".join(tables)


def _table(rows: Iterable[tuple[str, ...]], headers: list[str], left: int) -> str:
    return tabulate(
        list(rows),
        headers=headers,
        tablefmt="simple",
        disable_numparse=True,
        colalign=("left",) * left + ("right",) * (len(headers) - left),
    )
