"""What must hold after any fault, as one function. What comes back are the violations, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from failures.case import Case
from orchestrator.errors import StoreError

#: A store dates what is written to it by a clock that stands still between two ticks.
TICK_SECONDS = 0.05


@dataclass(frozen=True)
class Undisturbed:
    """The same sweep without any fault."""

    table: str
    manifests: Mapping[str, Any]

    @classmethod
    def of(cls, case: Case) -> Self:
        """What the sweep of ``case``, which nobody disturbs, comes to."""
        table = tables(case.run().out)
        return cls(table, case.open().manifests(case.plan.addresses))


def violations(
    case: Case,
    undisturbed: Undisturbed,
    *,
    made_again: Collection[str] = (),
    twice: int = 0,
    whole_checkpoints: bool = True,
    table: str | None = None,
) -> list[str]:
    """What of the promises does not hold, now that the sweep of ``case`` is done.

    The outputs at ``made_again`` were damaged or deleted by the test. ``twice`` stages may have been run by
    two drivers at once. Without ``whole_checkpoints`` the store was away, so that checkpoints may be missing.
    """
    found = tables(case.run("report").out if table is None else table)
    return [
        *_results(case, undisturbed),
        *([] if found == undisturbed.table else [f"the tables differ:\n{found}"]),
        *_finished_twice(case, made_again, twice),
        *(f"{line['address']} began when it was done" for line in begun_after_done(case)),
        *(_lost_steps(case) if whole_checkpoints else ()),
    ]


def tables(out: str) -> str:
    """The tables of what a command printed, without the title of a report."""
    return out[out.find("## ") :]


def repeated_steps(case: Case, made_again: Collection[str] = ()) -> int:
    """How many steps of long stages were computed more often than once."""
    lines = [line for line in case.ledger("step") if line["address"] not in made_again]
    return len(lines) - len({(line["address"], line["step"]) for line in lines})


def finished_again(case: Case, made_again: Collection[str] = ()) -> dict[str, int]:
    """By the journals, how much more often than once each stage was finished; those that were not miss."""
    finished = [event for event in case.journals("finished") if not event.get("elsewhere")]
    counts = Counter(event["address"] for event in finished)
    return {
        address: count - 1 for address, count in counts.items() if count > 1 and address not in made_again
    }


def begun_after_done(case: Case) -> list[Mapping[str, Any]]:
    """The lines of the tries whose worker asked whether the stage is done when its output was there."""
    published = {entry.key.split("/")[1]: entry.modified for entry in case.open().bucket.list("outputs/")}
    return [
        line
        for line in case.ledger("began")
        if line["asked"] > published.get(line["address"], inf) + TICK_SECONDS
    ]


def left_checkpoints(case: Case) -> set[str]:
    """The addresses of which checkpoints are kept; of what is done only if a driver died in between."""
    return {key.split("/")[1] for key in case.open().list_keys("checkpoints/")}


def _results(case: Case, undisturbed: Undisturbed) -> Iterator[str]:
    """Everything that was planned is there, whole, and the same to the bit."""
    store = case.open()
    for address, wanted in undisturbed.manifests.items():
        try:
            manifest = store.manifest(address)
            if manifest is None:
                yield f"{wanted.node} at {address} is not done"
                continue
            store.fetch(address)
        except StoreError as error:
            yield f"{wanted.node} at {address}: {error}"
            continue
        if manifest.metrics != wanted.metrics:
            yield f"{wanted.node} at {address}: {dict(manifest.metrics)}, not {dict(wanted.metrics)}"
        if manifest.digest != wanted.digest:
            yield f"{wanted.node} at {address}: its files differ"


def _finished_twice(case: Case, made_again: Collection[str], twice: int) -> Iterator[str]:
    """By the journals no finished stage was run again."""
    more = finished_again(case, made_again)
    if sum(more.values()) > twice:
        yield f"finished stages were run again: {more}"


def _lost_steps(case: Case) -> Iterator[str]:
    """A try goes on at least from the last but one checkpoint that an earlier try had begun to save.

    The last save may have been broken off; the one before it was over, because a save waits for the last.
    So what is repeated is at most the steps of one interval, and those of one save.
    """
    tries: dict[str, dict[int, list[Mapping[str, Any]]]] = defaultdict(dict)
    for line in case.ledger("began", "saved", "ended"):
        of_stage = tries[line["address"]]
        if line["event"] == "began":
            if any(try_[-1]["event"] == "ended" for try_ in of_stage.values()):
                of_stage.clear()  # it may have been published since, damaged, and made again
            kept = max(
                (_kept(lines, line.get("looked", line["at"])) for lines in of_stage.values()), default=0
            )
            if line["step"] < kept:
                yield f"{line['address']} began again at step {line['step']}, but {kept} had been saved"
            of_stage[line["pid"]] = [line]
        elif line["pid"] in of_stage:
            of_stage[line["pid"]].append(line)


def _kept(lines: list[Mapping[str, Any]], until: float) -> int:
    """The step of the newest checkpoint that was certainly whole at a time."""
    saved = [line["step"] for line in lines if line["event"] == "saved" and line["at"] < until]
    return max(lines[0]["step"], saved[-2] if len(saved) > 1 else 0)
