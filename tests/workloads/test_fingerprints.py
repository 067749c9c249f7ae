"""Results are found by their fields, so code that changes results must change an address: by a version."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ACCEPT = runpy.run_path(str(Path(__file__).parents[1] / "accept_fingerprints.py"))
PINNED = json.loads(ACCEPT["PINNED"].read_text(encoding="utf-8")) if ACCEPT["PINNED"].exists() else {}
NOW = ACCEPT["fingerprints"]()
fingerprint = ACCEPT["fingerprint"]


@pytest.mark.parametrize("file", sorted(PINNED.keys() | NOW.keys()))
def test_the_code_behind_results_is_what_was_accepted(file):
    assert NOW.get(file) == PINNED.get(file), (
        f"{file} does something else than when its results were accepted: bump the version of the components "
        "or stages whose results change, or accept with `python -m tests.accept_fingerprints` if results "
        "cannot change (accept after a bump, too)"
    )


PLAIN = """
class A:
    rate: float = 1.0

    def go(self):
        return self.rate * 2
"""
WORDY = '''"""Says things."""

class A:  # a comment
    """More."""

    rate: float = 1.0
    """The rate."""
    def go(self):
        """Goes."""
        return (
            self.rate
            * 2
        )
'''


def test_a_fingerprint_is_blind_to_comments_layout_and_docstrings():
    assert fingerprint(PLAIN) == fingerprint(WORDY)


def test_a_fingerprint_sees_every_number():
    assert fingerprint("rate = 0.1") != fingerprint("rate = 0.2")
    assert fingerprint("def f(x): return x + 1") != fingerprint("def f(x): return x - 1")
