"""What a number inherits from what it was made from: warnings, epochs of training, whether it is stale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.storage.manifest import Manifest
    from orchestrator.storage.store import Store

#: Reading this many manifests to find stale ones takes a second or two.
LOOKED_AT = 20_000
#: The metric under which a stage that makes networks says how long its network has learned in all.
EPOCHS = "epochs"


def warnings(plan: Plan, manifests: Mapping[str, Manifest]) -> dict[str, tuple[str, ...]]:
    """Address -> the warnings of its stage and of all it was made from; those without any are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for stage, address in enumerate(plan.addresses):  # parents stand before their children
        manifest = manifests.get(address)
        inherited = [text for parent in plan.parents(stage) for text in found.get(plan.addresses[parent], ())]
        every = tuple(dict.fromkeys([*(manifest.warnings if manifest else ()), *inherited]))
        if every:
            found[address] = every
    return found


def epochs(plan: Plan, manifests: Mapping[str, Manifest]) -> dict[str, float]:
    """Address -> the epochs of training that its network had in all; of several networks, the most.

    What is not there, or comes from no network, is left out.
    """
    found: dict[str, float] = {}
    for stage, address in enumerate(plan.addresses):
        manifest = manifests.get(address)
        if manifest is None:
            continue
        own = manifest.metrics.get(EPOCHS)
        read = (found.get(plan.addresses[parent]) for parent in plan.parents(stage))
        known = [given for given in (read if own is None else (own,)) if given is not None]
        if known:
            found[address] = max(known)
    return found


def origins(address: str, manifests: Mapping[str, Manifest]) -> set[str]:
    """Everything that the output at ``address`` was made from, as far as ``manifests`` say."""
    found: set[str] = set()
    waiting = [address]
    while waiting:
        manifest = manifests.get(waiting.pop())
        for read in reads(manifest.inputs) if manifest else ():
            if read["address"] not in found:
                found.add(read["address"])
                waiting.append(read["address"])
    return found


def stale(plan: Plan, manifests: Mapping[str, Manifest]) -> frozenset[str]:
    """The addresses made, directly or further back, from an output that has another content by now."""
    found: set[str] = set()
    for address in plan.addresses:
        manifest = manifests.get(address)
        if manifest is None:
            continue
        for read in reads(manifest.inputs):
            parent = manifests.get(read["address"])
            if read["address"] in found or (parent is not None and parent.digest != read["digest"]):
                found.add(address)
    return frozenset(found)


def stale_in(plan: Plan, store: Store, listed: Mapping[str, str]) -> frozenset[str] | None:
    """What of ``plan`` is `stale` in ``store``, of which there is a `listing`; None if it holds too much."""
    planned = [address for address in plan.addresses if address in listed]
    return stale(plan, store.manifests(planned, listed)) if len(planned) <= LOOKED_AT else None


def reads(inputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the ``inputs`` of a manifest name, whatever the role: ``address``, ``digest``, maybe ``part``."""
    for given in inputs.values():
        yield from given if isinstance(given, list | tuple) else (given,)
