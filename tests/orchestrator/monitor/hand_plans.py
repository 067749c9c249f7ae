"""A plan made by hand: stages with names and parents, all of them asked for."""

from __future__ import annotations

from types import SimpleNamespace

AXES = (SimpleNamespace(name="dataset", values=("digits",)), SimpleNamespace(name="seed", values=range(99)))


class HandPlan:
    """Stages ``name=parents``; the name is the address, and without its number the stage's name."""

    def __init__(self, **stages: str) -> None:
        self.sweep = SimpleNamespace(name="hand", axes=AXES)
        self.addresses = list(stages)
        self._ids = {address: index for index, address in enumerate(self.addresses)}
        self._parents = [tuple(self._ids[name] for name in parents.split()) for parents in stages.values()]
        self.targets = list(range(len(self.addresses)))

    def __len__(self):
        return len(self.addresses)

    def id_of(self, address):
        return self._ids[address]

    def parents(self, stage):
        return self._parents[stage]

    def stage_name(self, stage):
        return self.addresses[stage].rstrip("0123456789")

    def job(self, stage):
        number = int(self.addresses[stage].lstrip("abcdefghijklmnopqrstuvwxyz"))
        point = {"architecture": "wide_resnet(depth=22, width=2)", "dataset": "digits", "seed": number}
        return SimpleNamespace(node="magnitude.model", point=point)

    def missing(self, done):
        return [stage for stage, address in enumerate(self.addresses) if address not in done]


def event(kind, at=0.0, address=None, **more):
    return {"kind": kind, "at": at, **({"address": address} if address else {}), **more}
