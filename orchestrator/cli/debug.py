"""``sparsweep debug``: one trial, in this process."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator import api
from orchestrator.cli.asked import Asked
from orchestrator.cli.guard import DONE, FAILED, INTERRUPTED, say
from orchestrator.monitor.durations import took
from orchestrator.plan import Plan, Trial
from orchestrator.spec.values import shown
from orchestrator.storage import Store


def debug_trial(asked: Asked) -> int:
    """Run the first trial that is asked for, each stage in order; its metrics go to stdout."""
    plan = asked.plan
    trial = plan.trials[0]
    if len(plan.trials) > 1:
        say(f"{len(plan.trials):,} trials match; this is the first of them. More --where choose another.")
    say("trial " + " ".join(f"{axis}={shown(value)}" for axis, value in trial.point.items()))
    one = only(plan, trial)
    store = asked.open_store(write=True)
    if not one.missing(store.done()):
        say(f"Nothing to run: its stages are done in {store.uri}.")
    summary = api.run(one, store, engine="inline", debug=True, listener=tell)
    print("\n".join(metrics(one, trial, store)))
    if summary.interrupted:
        return INTERRUPTED
    return FAILED if summary.failed else DONE


def only(plan: Plan, trial: Trial) -> Plan:
    """``plan`` with nothing asked for but the outputs of ``trial``."""
    one = copy.copy(plan)
    one.targets = sorted({output.stage for output in trial.outputs})
    one.partial = True
    return one


def tell(event: Mapping[str, Any]) -> None:
    """Say which stage begins, so that it is known where a breakpoint stands, and how long it took."""
    if event["kind"] == "started":
        say(f"runs {event['label']}")
    elif event["kind"] == "finished":
        say(f"     done in {took(event['seconds'])}")


def metrics(plan: Plan, trial: Trial, store: Store) -> Iterator[str]:
    """The numbers of a trial, a line each: node with its own keys, metric, value."""
    manifests = store.manifests({plan.addresses[output.stage] for output in trial.outputs})
    for output in trial.outputs:
        manifest = manifests.get(plan.addresses[output.stage])
        own = "".join(f" {key}={value}" for key, value in output.each.items())
        for name, value in manifest.metrics.items() if manifest else ():
            yield f"{output.node}.{name}{own} {value!r}"
