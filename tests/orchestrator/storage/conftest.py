"""Every bucket there is: one entry here and the whole suite runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.storage import Bucket, Store, StoreConfig
from orchestrator.storage.local import LocalBucket

BUCKETS: dict[str, Callable[[pytest.FixtureRequest, Path], Bucket]] = {
    "local": lambda request, folder: LocalBucket(folder / "store"),
}


@pytest.fixture(params=BUCKETS)
def bucket(request, tmp_path):
    return BUCKETS[request.param](request, tmp_path)


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
