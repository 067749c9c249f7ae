"""Plans of any shape out of the stages of these tests: what engines need of a plan, and no more."""

from __future__ import annotations

from types import SimpleNamespace

from orchestrator.build import build_class, find
from orchestrator.identity import digest, text_of
from orchestrator.plan.job import Job
from orchestrator.spec.sweep import Retries
from orchestrator.stage import Resources

PACKAGE = "engine_stages"


class SmallPlan:
    """Stages added one by one; each may read those before it."""

    def __init__(self, system=3, error=1, keep="all"):
        self.sweep = SimpleNamespace(name="small", retries=Retries(system=system, error=error), keep=keep)
        self.partial = False
        self.addresses = []
        self.targets = []
        self._jobs = []
        self._parents = []

    def add(self, stage, *, reads=None, cpus=1.0, gpus=0.0, memory_gib=0.0, timeout_seconds=None, **fields):
        """The id of a new stage; ``reads`` is role -> id, (id, part), or a list of ids."""
        inputs, parents = {}, []
        for role, given in (reads or {}).items():
            many = isinstance(given, list)
            pairs = [item if isinstance(item, tuple) else (item, "") for item in (given if many else [given])]
            names = [self.addresses[parent] + (f"/{part}" if part else "") for parent, part in pairs]
            inputs[role] = names if many else names[0]
            parents += [parent for parent, _ in pairs]
        try:
            text = text_of(build_class(find(PACKAGE, stage), fields), inputs)
        except Exception:
            text = f'{{"fields": {{}}, "stage": "{stage}", "wrong": "{len(self)}"}}'
        job = Job(
            address=digest(text),
            package=PACKAGE,
            stage=stage,
            fields=fields,
            text=text,
            inputs=inputs,
            resources=Resources(cpus, gpus, memory_gib),
            timeout_seconds=timeout_seconds,
            node=f"method.{stage}",
            point={"number": fields.get("number", 0)},
        )
        assert job.address not in self.addresses
        self._jobs.append(job)
        self.addresses.append(job.address)
        self._parents.append(tuple(parents))
        self.targets.append(len(self._jobs) - 1)
        return len(self._jobs) - 1

    def __len__(self):
        return len(self._jobs)

    def id_of(self, address):
        if address not in self.addresses:
            raise KeyError(address)
        return self.addresses.index(address)

    def job(self, stage):
        return self._jobs[stage]

    def resources(self, stage):
        return self._jobs[stage].resources

    def parents(self, stage):
        return self._parents[stage]

    def children(self):
        found = [[] for _ in self._jobs]
        for stage, parents in enumerate(self._parents):
            for parent in parents:
                found[parent].append(stage)
        return found

    def stage_name(self, stage):
        return self._jobs[stage].stage

    def tries(self, stage):
        return ()

    def missing(self, done, dropped=()):
        found = {stage for stage in self.targets if self.addresses[stage] not in done}
        stack = list(found)
        while stack:
            for parent in self._parents[stack.pop()]:
                address = self.addresses[parent]
                if parent not in found and (address not in done or address in dropped):
                    found.add(parent)
                    stack.append(parent)
        return sorted(found)


class Heard:
    """A journal that keeps its events in a list."""

    def __init__(self):
        self.events = []

    def append(self, kind, **fields):
        self.events.append({"kind": kind, **fields})

    def of(self, kind):
        return [event for event in self.events if event["kind"] == kind]
