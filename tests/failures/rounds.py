"""A sweep that meets random faults one after another, then is left alone and must be as if nothing had been.

Which faults a round draws follows from its stream of random numbers alone; at what moment exactly they hit
does not, because processes are not that punctual.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from failures import damage
from failures.case import Case, Driver, Said, until
from failures.driver import impatient, jump
from failures.invariants import Undisturbed, begun_after_done, finished_again, repeated_steps, violations
from failures.proxy import PATIENCE_SECONDS, SHARES, Proxy
from failures.stages.base import MOMENTS
from failures.watch import Watch
from orchestrator.storage import Store

#: What may wait for a try of any stage, of a long one only, and how the figures call it.
TROUBLES = {"raise": "stage raised", "memory": "out of memory", "die": "killed in a stage"} | {
    moment: f"killed {moment}" for moment in MOMENTS[:-1]
}
LONG_TROUBLES = {"hang": "stage hung", "in a checkpoint": "killed in a checkpoint"}
#: What becomes of a driver that was started, and how often.
FATES = {"left alone": 1, "driver killed": 4, "driver told to stop": 2}
FATES_WITH_WORKERS = {"worker killed": 8}
FATES_OF_A_SERVICE = {"store away": 2, "writes refused": 1}
Damage = Callable[[Store, str], None]
#: Each with the files that an output must have: one whose files are all gone was dropped, and is not damaged.
DAMAGES: Mapping[Damage, int] = {
    damage.flip_a_byte: 1,
    damage.truncate: 1,
    damage.take_a_file: 2,
    damage.tear_the_manifest: 0,
    damage.empty_the_manifest: 0,
}
CHECKPOINT = "checkpoint damaged"
PACES = (0.0, 0.005, 0.02)
DAY_SECONDS = 86_400.0
#: After at most so many more lines of the stages something befalls their driver; in all they write 200.
LINES = 80


@dataclass
class Round:
    """One sweep from its first driver to the last look at it; a driver with Ray takes seconds to start."""

    FIGURES: ClassVar[Sequence[str]] = (
        "stages done",
        "tries",
        "finished stages run again",
        "done by two drivers at once",
        "steps",
        "steps repeated",
    )

    case: Case
    undisturbed: Undisturbed
    random: Random
    proxy: Proxy | None = None
    with_ray: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    made_again: set[str] = field(default_factory=set)
    """What was damaged or taken away."""
    together: bool = False
    """Whether several drivers were at work at once, or workers whose driver was killed."""

    def play(self) -> None:
        """Do it all; what is wrong goes into `problems`."""
        try:
            for _ in range(self.random.randint(2, self._most())):
                self._disturb(Random(self.random.random()))
            self._look()
        finally:
            self.case.end()

    @cached_property
    def figures(self) -> Counter[str]:
        """What was done in this round, in numbers."""
        counts = (
            len(self.case.open().done()),
            len(self.case.ledger("began")),
            len(begun_after_done(self.case)),
            sum(finished_again(self.case, self.made_again).values()),
            len(self.case.ledger("step")),
            repeated_steps(self.case, self.made_again),
        )
        return Counter(dict(zip(self.FIGURES, counts, strict=True)))

    def _most(self) -> int:
        """How many times a driver is started at most: a service takes long, and a new Ray longer."""
        return 3 if self.with_ray else 5 if self.proxy else 8

    # What is done to it

    def _disturb(self, random: Random) -> None:
        """A driver, or two, and what they meet; all is drawn before anything begins."""
        case, ray = self.case, random.random() < 0.5 and self.with_ray
        case.set_pace(random.choice(PACES))
        self._lay(random)
        spoiled = random.choice([*SHARES, *[None] * len(SHARES)])
        case.changes = ((impatient, PATIENCE_SECONDS),) if self.proxy else ()
        if random.random() < 0.1 and not ray:
            case.changes += ((jump, random.choice((-DAY_SECONDS, DAY_SECONDS)), random.uniform(0.0, 1.0)),)
            self.faults["clock jumped"] += 1
        two = random.random() < 0.25 and not ray
        fates = FATES | (FATES_WITH_WORKERS if ray else {}) | (FATES_OF_A_SERVICE if self.proxy else {})
        (fate,) = random.choices([*fates], [*fates.values()])
        lines, pause = random.randrange(LINES), random.uniform(0.0, 0.1)
        if self.proxy and random.random() < 0.3:
            self._move()
        if self.proxy and spoiled:
            self.proxy.spoil(spoiled, random.getrandbits(32))
        seen = len(case.ledger())
        with Watch(case.open, self.undisturbed.manifests, self.made_again) as watch:
            drivers = [self._start(ray) for _ in range(1 + two)]
            if two:
                self.faults["two drivers"] += 1
                self.together = True
            _wait(lambda: len(case.ledger()) - seen >= lines or self._is_over(drivers, seen))
            time.sleep(pause)
            self._befall(drivers, fate, random)
            for driver in drivers:
                self._end(driver, seen, fate)
        self.problems += watch.problems
        self._count(seen)
        if random.random() < 0.4:
            self._damage(random)
        if random.random() < 0.2:
            self._damage_checkpoint(random.random())

    def _lay(self, random: Random) -> None:
        """Let up to three stages have trouble; a second line is for the second try."""
        self.case.fix()
        for address in random.sample(self.case.plan.addresses, random.randrange(4)):
            long = LONG_TROUBLES if self._is_long(address) else {}
            self.case.lay(address, *random.choices([*TROUBLES, *long], k=random.choice((1, 1, 2))))

    def _move(self) -> None:
        """Let drivers be on another machine from now on, one without copies of what is in the store."""
        self.faults["another machine"] += 1
        machine = self.case.folder / f"machine-{self.faults['another machine']}"
        machine.mkdir()
        self.case.environment["TMPDIR"] = str(machine)

    def _start(self, ray: bool) -> Driver:
        return self.case.start("--workers", "2", engine="ray", own=True) if ray else self.case.start()

    def _befall(self, drivers: list[Driver], fate: str, random: Random) -> None:
        """Let ``fate`` hit, unless what it would hit is over already."""
        seconds = random.uniform(0.2, 2.0)
        victim = drivers[0]
        match fate:
            case "driver killed" if victim.alive:
                self.together |= not victim.forked  # the workers of its Ray live on for a moment
                victim.kill()
            case "driver told to stop" if victim.alive:
                victim.ask_to_stop()
            case "worker killed" if pids := self._workers():
                os.kill(random.choice(pids), signal.SIGKILL)
            case "store away" if self.proxy and victim.alive:
                self.proxy.go_down()
                time.sleep(seconds)
                self.proxy.come_up()
            case "writes refused" if self.proxy and victim.alive:
                self.proxy.choose = lambda method, path: "403" if method in ("PUT", "POST") else None
                time.sleep(seconds)
                self.proxy.be_good()
            case _:
                return
        self.faults[fate] += fate != "left alone"

    def _damage(self, random: Random) -> None:
        """Damage an output that is there; sometimes what was made from it goes, so that it is needed.

        An output with an empty manifest is one that is not there: nobody misses it who does not need it.
        """
        store, how = self.case.open(), random.choice([*DAMAGES])
        order = random.sample(self.case.plan.addresses, len(self.case.plan))
        sound = store.manifests(store.done() - self.made_again)
        fit = {address for address, manifest in sound.items() if len(manifest.files) >= DAMAGES[how]}
        address = next((address for address in order if address in fit), None)
        wanted = random.random() < 0.5 or how is damage.empty_the_manifest
        if address is None:
            return
        how(store, address)
        self.faults[how.__name__.replace("_", " ")] += 1
        self.made_again.add(address)
        if wanted:
            self._take_descendants(address)

    def _damage_checkpoint(self, place: float) -> None:
        """Damage something of what is kept of stages that were in work."""
        store = self.case.open()
        if keys := store.list_keys("checkpoints/"):
            damage.flip(store, keys[int(place * len(keys))])
            self.faults[CHECKPOINT] += 1

    def _take_descendants(self, address: str) -> None:
        """Take away what was made from an output, and from that: what nobody misses is not made again."""
        plan, store = self.case.plan, self.case.open()
        children, found = plan.children(), [plan.id_of(address)]
        while found:
            for stage in children[found.pop()]:
                self.made_again.add(plan.addresses[stage])
                store.discard(plan.addresses[stage])
                found.append(stage)

    def _workers(self) -> list[int]:
        """The workers of a Ray cluster that ran a stage of this case and are there."""
        found = []
        for pid in {line["pid"] for line in self.case.ledger("began")}:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(b"ray::"):
                found.append(pid)
        return sorted(found)

    def _is_long(self, address: str) -> bool:
        return self.undisturbed.manifests[address].stage == "climb"

    # What comes of it

    def _is_over(self, drivers: list[Driver], seen: int) -> bool:
        return not any(driver.alive for driver in drivers) or any(self._hangs(one, seen) for one in drivers)

    def _hangs(self, driver: Driver, seen: int) -> bool:
        """Whether a stage hangs in the driver itself, where no timeout ends it."""
        lines = [line for line in self.case.ledger()[seen:] if line["pid"] == driver.pid]
        return bool(lines) and lines[-1].get("what") == "hang"

    def _end(self, driver: Driver, seen: int, fate: str) -> None:
        """Wait for its end, which a person brings about who sees a stage hang; judge how it ended."""
        _wait(lambda: not driver.alive or self._hangs(driver, seen))
        while driver.alive and self._hangs(driver, seen):
            driver.ask_to_stop()
            fate = "driver told to stop"
            time.sleep(0.1)
        said = driver.end()
        mine = [line for line in self.case.ledger("trouble") if line["pid"] == driver.pid]
        expected = {
            0: True,
            1: "To try them again:" in said.err or "run the same command again" in said.err,
            130: fate == "driver told to stop",
            -signal.SIGTERM: fate == "driver told to stop",
            -signal.SIGKILL: fate == "driver killed" or any(line["what"] in _DEADLY for line in mine),
        }
        if not expected.get(said.code):
            self.problems.append(f"a driver ({fate}) ended with {said.code}: {_last(said)}")
        if "Traceback" in said.err:
            self.problems.append(f"a driver ({fate}) showed a traceback: {_last(said)}")

    def _count(self, seen: int) -> None:
        """Count what the stages and the service met."""
        for line in self.case.ledger()[seen:]:
            if line["event"] == "trouble":
                self.faults[(TROUBLES | LONG_TROUBLES)[line["what"]]] += 1
        if self.proxy:
            self.proxy.be_good()
            self.faults += Counter(
                {f"answer {kind}": n for kind, n in self.proxy.met.items() if kind != "none"}
            )
            self.proxy.met.clear()

    def _look(self) -> None:
        """Run it to its end without any fault; ask the store what is damaged still; compare."""
        self.case.fix()
        self.case.set_pace(0.0)
        self.case.changes = ()
        said = self._run()
        verified = self._said("store", "verify")
        if verified.code:
            found = [line.split()[:2] for line in verified.out.splitlines()]
            named = {address for address, what in found if what != "checkpoint"}
            if verified.code != 1 or not named <= self.made_again:
                self.problems.append(f"store verify: {verified.code}: {verified.out}{_last(verified)}")
            self._said("store", "verify", "--quarantine")
            for address in named:
                self._take_descendants(address)
            said = self._run()
            verified = self._said("store", "verify")
        if verified.code:
            self.problems.append(f"store verify after all was made again: {verified.out}{_last(verified)}")
        self.problems += violations(
            self.case,
            self.undisturbed,
            made_again=self.made_again,
            twice=len(self.case.plan) if self.together else 0,
            whole_checkpoints=self.proxy is None and not self.faults[CHECKPOINT],
            table=said.out,
        )

    def _run(self) -> Said:
        said = self._said("run")
        if said.code:
            self.problems.append(f"the undisturbed run ended with {said.code}: {_last(said)}")
        return said

    def _said(self, *command: str) -> Said:
        return self.case.start(*command).end()


_DEADLY = ("die", *MOMENTS)


def _wait(condition: Callable[[], Any]) -> None:
    until(condition, 300.0)


def _last(said: Said) -> str:
    return " / ".join(said.err.splitlines()[-5:])
