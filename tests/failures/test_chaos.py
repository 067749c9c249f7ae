"""Some rounds of chaos, and what its command says."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from failures.rounds import Round
from tests.chaos import Chaos

ROOT = Path(__file__).parents[2]
SEED = 3


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def chaos(request, tmp_path):
    """Chaos on each kind of store, and the lines that it says."""
    proxy = None
    if request.param == "bucket":
        request.getfixturevalue("on_s3")  # the key, and copies in the folder of the test
        proxy = request.getfixturevalue("proxy")
    said = []
    return Chaos(tmp_path / "chaos", SEED, proxy, ray=False, say=said.append), said


def test_rounds_of_random_faults_end_as_if_nothing_had_happened(chaos):
    chaos, said = chaos
    for number in [1] if chaos.proxy else [0, 1]:
        chaos.play(number)
    assert chaos.violations == 0, "\n".join(said)
    assert len(chaos.faults) > 3
    assert chaos.figures["stages done"] == chaos.rounds * len(chaos.undisturbed.manifests)
    assert chaos.figures["finished stages run again"] == 0
    assert chaos.figures["steps"] > chaos.figures["steps repeated"]


def test_a_promise_that_is_broken_is_said_with_the_command_that_repeats_the_round(tmp_path):
    said = []
    chaos = Chaos(tmp_path, SEED, None, ray=False, say=said.append)
    manifests = dict(chaos.undisturbed.manifests)
    address, manifest = next((a, m) for a, m in manifests.items() if m.node == "cut.together")
    manifests[address] = replace(manifest, metrics={"weight": 0.5})
    chaos.undisturbed = replace(chaos.undisturbed, manifests=manifests)
    chaos.play(0)
    chaos.total()
    assert chaos.violations >= 1
    assert any(
        f"VIOLATION cut.together at {address}: " in line and "not {'weight': 0.5}" in line for line in said
    )
    assert said[-3] == "     again: python -m tests.chaos --seed 3 --round 0"
    assert f"violations {chaos.violations}; see {tmp_path}" in said[-1]


def test_the_command_plays_a_round_and_says_its_figures(tmp_path):
    command = [sys.executable, "-m", "tests.chaos", "--minutes", "0", "--seed", str(SEED), "--no-ray"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, faults, figures = ended.stdout.splitlines()
    assert re.fullmatch(r" +0 inline: .+; \d+ steps repeated, \d+ s", first)
    assert re.fullmatch(r"1 rounds with \d+ faults: .+", faults)
    assert all(f"{name} " in figures for name in Round.FIGURES)
    assert figures.endswith("violations 0")
