"""The key to a store is in nothing that a sweep writes or prints, and an address with a login is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from secrets import token_hex

import pytest
from toys.base import TOY, UNIQUE, write
from toys.terminal import COMMAND, environment

from orchestrator.storage import StoreConfig, open_store

pytestmark = pytest.mark.s3

FAILING = TOY.replace("amount: $sparsity,", "amount: $sparsity, fails_while: FLAG,")
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LOGIN = "someone:hunter2hunter2"


@pytest.fixture
def outside(command, here, monkeypatch, credentials):
    """Runs a command; all that is said and all files are kept below ``here``."""
    for name in ("tmp", "said"):
        (here / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(here / "tmp"))

    def run(*arguments, code=0):
        found, out, err = command(*arguments)
        assert found == code, err
        (here / "said" / token_hex(4)).write_text(out + err)
        return err

    return run


@pytest.fixture
def everything(here, rclone, credentials):
    """All that was said, all files on this machine, and all objects in the store, by name."""

    def collect():
        files = {str(path): path.read_bytes() for path in here.rglob("*") if path.is_file()}
        store = open_store(StoreConfig(f"s3://sweeps/{here.name}", endpoint=rclone))
        keys = store.list_keys("")
        return files | dict(zip(keys, store.get_many(keys), strict=True))

    return collect


def holding(found, text):
    return sorted(name for name, content in found.items() if text.encode() in content)


def test_the_key_is_in_nothing_that_is_written_or_printed(here, rclone, outside, everything, monkeypatch):
    (here / "flag").write_text("")
    uri = f"s3://sweeps/{here.name}"
    path = write(
        here, FAILING.replace("FLAG", f"{here}/flag") + f"store: {{uri: {uri}, endpoint: '{rclone}'}}\n"
    )
    said = outside("run", "toy.yaml", "--engine", "inline", "--plain", code=1)
    endpoint, address = re.search(
        r"^ +AWS_ENDPOINT_URL=(\S+) sparsweep show (\w+)", said, re.MULTILINE
    ).groups()
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    outside("show", address, "--store", uri)
    (here / "flag").unlink()
    ran = subprocess.run(
        [sys.executable, "-c", COMMAND, "run", "toy.yaml", "--engine", "inline"],
        cwd=here,
        env=environment(TMPDIR=str(here / "tmp")),
        capture_output=True,
        check=True,
        timeout=60,
    )
    (here / "said/run").write_bytes(ran.stdout + ran.stderr)
    for command in (["plan"], ["status"], ["report"], ["store", "ls"], ["store", "verify"], ["store", "gc"]):
        outside(*command, "toy.yaml")
    outside("store", "copy", uri, "there", "--sweep", "toy.yaml")
    found = everything()
    assert sum(name.startswith("outputs/") for name in found) == UNIQUE
    assert len(holding(found, "sparse.cut")) > UNIQUE // 3  # what is searched is what was written
    assert len(holding(found, path.name)) > 0
    assert [holding(found, os.environ[name]) for name in SECRETS] == [[], []]


@pytest.mark.parametrize("place", ["file", "environment", "option"])
def test_an_address_with_a_login_starts_nothing_and_is_not_repeated(
    here, outside, everything, monkeypatch, place
):
    endpoint = f"http://{LOGIN}@127.0.0.1:9"
    uri = f"s3://sweeps/{here.name}"
    store = {"file": f"{{uri: {uri}, endpoint: '{endpoint}'}}", "environment": uri, "option": "results"}[
        place
    ]
    path = write(here, TOY + f"store: {store}\n")
    if place == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    option = ["--store", uri.replace("://", f"://{LOGIN}@")] if place == "option" else []
    for command in ("run", "plan", "status", "report"):
        outside(command, "toy.yaml", *option, code=2)
    path.unlink()
    found = everything()
    assert len(holding(found, "leave credentials to the environment or a profile")) == 4
    assert holding(found, "hunter2") == []
    assert not any(name.startswith(("outputs/", "runs/")) for name in found)
