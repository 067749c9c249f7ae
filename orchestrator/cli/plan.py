"""``sparsweep plan``: what a run would do."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tabulate import tabulate

from orchestrator.cli.asked import Asked
from orchestrator.cli.guard import say
from orchestrator.plan import Plan
from orchestrator.plan.payload import to_run
from orchestrator.report.ancestry import stale_in
from orchestrator.storage import Store


def show_plan(asked: Asked, as_json: bool) -> int:
    """Print the plan of a sweep file against its store; warnings go to stderr."""
    store = asked.open_store()
    found = summary(asked.plan, store)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    print(text(found, store.uri, str(asked.file)))
    for warning in asked.plan.warnings:
        say(f"{asked.file}: {warning}")
    return 0


def summary(plan: Plan, store: Store) -> dict[str, Any]:
    """The plan in numbers, in all and per node."""
    done = store.listing()
    planned = [address for address in plan.addresses if address in done]
    old = stale_in(plan, store, done)
    stages = plan.chains()
    return {
        "name": plan.sweep.name,
        "trials": len(plan.trials),
        "stages": stages,
        "unique": len(plan),
        "shared": stages - len(plan),
        "done": len(planned),
        "missing": len(to_run(plan, done, store.dropped)[0]),
        "stale": None if old is None else len(old),
        "nodes": nodes(plan, set(planned)),
        "warnings": list(plan.warnings),
    }


def nodes(plan: Plan, done: set[str]) -> list[dict[str, Any]]:
    """Per node: the axes it depends on, its stages, and how many of them are done.

    A stage that several nodes ask for is counted where it was met first.
    """
    names = [(plan.node(stage), plan.stage_name(stage)) for stage in range(len(plan))]
    unique = Counter(names)
    there = Counter(name for name, address in zip(names, plan.addresses, strict=True) if address in done)
    axes = plan.nodes()
    return [
        {
            "node": node,
            "stage": stage,
            "axes": list(axes.get(node, ())),
            "unique": count,
            "done": there[node, stage],
        }
        for (node, stage), count in unique.items()
    ]


def text(found: dict[str, Any], uri: str, file: str) -> str:
    """The summary for people."""
    lines = [
        f"{found['name']} ({file}), store {uri}",
        "",
        f"{found['trials']:,} trials need {found['unique']:,} stages"
        f" ({found['stages']:,} if nothing were shared).",
        f"{found['done']:,} are done, {found['missing']:,} would run.",
    ]
    if found["stale"]:
        lines.append(
            f"{found['stale']:,} are stale: what they were made from has been rebuilt differently since."
        )
    rows = [
        (item["node"], item["stage"], ", ".join(item["axes"]), f"{item['unique']:,}", f"{item['done']:,}")
        for item in found["nodes"]
    ]
    table = tabulate(
        rows,
        headers=("node", "stage", "depends on", "stages", "done"),
        tablefmt="simple",
        disable_numparse=True,
        colalign=("left", "left", "left", "right", "right"),
        maxcolwidths=[None, None, 40, None, None],
    )
    return "\n".join([*lines, "", table])
