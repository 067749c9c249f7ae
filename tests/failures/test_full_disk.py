"""A disk without room for the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from failures.driver import python_path

pytestmark = pytest.mark.s3

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def test_a_full_disk_costs_what_does_not_fit_and_the_same_command_continues(tmp_path, server, on_s3):
    """In a name space of its own, where a small disk may be mounted; else with a limit on file sizes."""
    try:
        own = subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        own = False
    ended = subprocess.run(
        [*(OWN_MOUNTS if own else ()), sys.executable, "-m", "failures.full_disk", tmp_path, str(server)],
        env={**os.environ, "PYTHONPATH": python_path(), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    for code, said in (found["full"], found["scratch"]):
        assert code == 1, said
        assert ("No space left on device" if found["disk"] else "File too large") in said
        assert "To try them again:\n  sparsweep run sweep.yaml" in said
        assert "Traceback" not in said
    for code, said in (found["again"], found["scratch again"]):
        assert code == 0, said
    assert found["violations"] == []
    if found["disk"]:
        assert found["kept"] > 0
        assert found["room"][0] == 0, found["room"][1]
