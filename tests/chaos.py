"""Random faults against a sweep, again and again: ``python -m tests.chaos --minutes 3 --seed 1``.

Every round is a sweep of its own: it meets a few faults, is then left alone until it is done, and must be the
same as without any fault, to the bit. What must hold stands in `failures.invariants`, what may happen in
`failures.rounds`. Says a line a round, at the end the figures; exits with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

sys.path.append(str(Path(__file__).parent))  # as pytest has it: stages are found in `failures`

from failures.case import Case
from failures.driver import forks
from failures.invariants import Undisturbed
from failures.proxy import Proxy
from failures.rounds import Round
from failures.server import credentials, in_bucket, s3_server

#: So rarely a round has Ray, whose start takes as long as all the rest of a round.
RAY_SHARE = 0.15


class Chaos:
    """Rounds in ``folder``, on folders or through ``proxy``; ``say`` is called with every line."""

    def __init__(
        self, folder: Path, seed: int, proxy: Proxy | None, ray: bool, say: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.proxy = proxy
        self.ray = ray
        self.say = say
        self.undisturbed = Undisturbed.of(Case(folder / "undisturbed"))
        self.rounds = self.violations = 0
        self.faults: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()

    def play(self, number: int) -> None:
        """Play the round of that number."""
        began = time.monotonic()
        random = Random(f"{self.seed} {number}")
        with_ray = random.random() < RAY_SHARE and self.ray
        one = Round(self._case(number), self.undisturbed, random, self.proxy, with_ray)
        one.play()
        self.rounds += 1
        self.violations += len(one.problems)
        self.faults += one.faults
        self.figures += one.figures
        took = f"{one.figures['steps repeated']} steps repeated, {time.monotonic() - began:.0f} s"
        self.say(f"{number:4} {'ray' if with_ray else 'inline'}: {listed(one.faults)}; {took}")
        for problem in one.problems:
            self.say(f"     VIOLATION {problem}")
        if one.problems:
            store = " --store s3" if self.proxy else ""
            self.say(f"     again: python -m tests.chaos --seed {self.seed} --round {number}{store}")
        else:
            shutil.rmtree(one.case.folder, ignore_errors=True)

    def total(self) -> None:
        """Say what all rounds came to."""
        self.say(f"{self.rounds} rounds with {self.faults.total():,} faults: {listed(self.faults)}")
        self.say("".join(f"{name} {self.figures[name]:,}, " for name in Round.FIGURES) + self._verdict())

    def _verdict(self) -> str:
        return f"violations {self.violations}" + (f"; see {self.folder}" if self.violations else "")

    def _case(self, number: int) -> Case:
        folder = self.folder / f"round-{number}"
        given: dict[str, Any] = {}
        if self.proxy is not None:
            machine = folder / "machine"
            machine.mkdir(parents=True)
            given = in_bucket(self.proxy.to, machine, self.proxy.endpoint)
        return Case(folder, **given)


def listed(counts: Counter[str]) -> str:
    """``a 3, b 2``, the most first."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "no fault"


@contextmanager
def bad_service(folder: Path) -> Iterator[Proxy]:
    """A line to a real S3 server, whose key this process has from now on."""
    for name, value in credentials(TMPDIR=str(folder)).items():
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
    forks()  # before: what it keeps among temporary files lives longer than ``folder``
    tempfile.tempdir = str(folder)
    with s3_server(folder) as port, Proxy(port) as proxy:
        yield proxy


def main(arguments: list[str] | None = None) -> int:
    """Rounds until the minutes are over; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="begin no round after that")
    parser.add_argument("--seed", type=int, default=1, help="another one draws other faults")
    parser.add_argument("--store", choices=("local", "s3"), default="local")
    parser.add_argument("--round", type=int, help="this one alone, as when a line says so")
    parser.add_argument("--no-ray", action="store_true", help="no round with workers of Ray")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    with ExitStack() as open_:
        proxy = open_.enter_context(bad_service(folder / "s3")) if given.store == "s3" else None
        chaos = Chaos(folder, given.seed, proxy, not given.no_ray, lambda line: print(line, flush=True))
        end, number = time.monotonic() + given.minutes * 60, 0
        while given.round is None and (time.monotonic() < end or not number):
            chaos.play(number)
            number += 1
        if given.round is not None:
            chaos.play(given.round)
        chaos.total()
    if not chaos.violations:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if chaos.violations else 0


if __name__ == "__main__":
    sys.exit(main())
