"""Every bucket there is: one entry here and the whole suite runs on it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from orchestrator.storage import Bucket, Store, StoreConfig
from orchestrator.storage.local import LocalBucket

KEY, SECRET = "AKIAOFTHESTORETESTS", "sparsweep-tests-secret"


def s3_on(server):
    """A factory of buckets, each with its own prefix, on the S3 server that the fixture ``server`` starts."""

    def make(request, folder):
        from orchestrator.storage.s3 import S3Bucket

        endpoint = request.getfixturevalue(server)
        request.getfixturevalue("credentials")
        config = StoreConfig(f"s3://sweeps/{token_hex(8)}/deep", endpoint=endpoint)
        return S3Bucket(config, folder / "machine")

    return make


BUCKETS: dict[str, Callable[[pytest.FixtureRequest, Path], Bucket]] = {
    "local": lambda request, folder: LocalBucket(folder / "store"),
    "rclone": s3_on("rclone"),
    "moto": s3_on("moto"),
}


@pytest.fixture
def credentials(monkeypatch):
    """The key of the test servers, and nothing of the user's."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def rclone(tmp_path_factory):
    """The address of a real S3 server on a folder, with a bucket ``sweeps``."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "sweeps").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = Path(sysconfig.get_path("scripts")) / "rclone"
    command = [str(binary), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    with (folder.parent / "rclone.log").open("wb") as log:
        server = subprocess.Popen([*command, "--config", "", str(folder)], stdout=log, stderr=log)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None, "rclone ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def moto():
    """The address of moto's S3 server in this process, with a bucket ``sweeps``."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    session = boto3.Session(KEY, SECRET, region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="sweeps")
    yield endpoint
    server.stop()


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.s3] if name != "local" else []) for name in BUCKETS]
)
def bucket(request, tmp_path):
    return BUCKETS[request.param](request, tmp_path)


@pytest.fixture
def make_bucket(request):
    """Makes a bucket by its name in `BUCKETS`."""
    return lambda name, folder: BUCKETS[name](request, folder)


@pytest.fixture
def store(bucket):
    return Store(bucket, StoreConfig(bucket.uri))


@pytest.fixture
def publish(store):
    """Publishes files (name -> bytes) at an address and returns the manifest."""

    def publish(address, files=None, to=store, **manifest):
        with to.publish(address) as draft:
            for name, content in (files or {}).items():
                path = draft.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            draft.manifest = {"stage": "train", **manifest}
        return to.manifest(address)

    return publish
