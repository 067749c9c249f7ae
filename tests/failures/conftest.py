"""The sweep without any fault, and cases of it on a folder and on an S3 server."""

from __future__ import annotations

import itertools
from secrets import token_hex

import pytest

from failures.case import STAGES, Case
from failures.invariants import Undisturbed
from failures.proxy import Proxy
from failures.server import credentials, in_bucket, s3_server


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """What the sweep comes to when nothing goes wrong."""
    case = Case(tmp_path_factory.mktemp("undisturbed"))
    found = Undisturbed.of(case)
    assert len(found.manifests) == len(case.plan) == STAGES
    assert found.table.count("(n=1)") == found.table.count("±") - 2 == 4  # two headings have one too
    return found


@pytest.fixture
def make_case(tmp_path):
    """Makes cases; their drivers do not outlive the test."""
    made, numbers = [], itertools.count()

    def make(**given):
        made.append(Case(tmp_path / f"case-{next(numbers)}", **given))
        return made[-1]

    yield make
    for case in made:
        case.end()


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory):
    """The folder in which the S3 server keeps its objects."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(server_folder):
    """The port of a real S3 server."""
    with s3_server(server_folder) as port:
        yield port


@pytest.fixture
def proxy(server):
    """A bad line to the server."""
    with Proxy(server) as line:
        yield line


@pytest.fixture
def on_s3(make_case, server, tmp_path, monkeypatch):
    """Makes a case in the bucket, whose drivers reach it at an endpoint: the server's own, or a proxy's."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # whoever looks on has a cache of his own

    def make(endpoint=None, name="", **given):
        machine = tmp_path / token_hex(4)
        machine.mkdir()
        return make_case(**in_bucket(server, machine, endpoint, name), **given)

    return make


@pytest.fixture
def case(make_case):
    """A case on a folder."""
    return make_case()
