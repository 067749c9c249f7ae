"""How many objects a sweep writes: few for each stage, and no more for each when there are more."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from toys.base import TOY, UNIQUE, plan_of

from orchestrator import api
from orchestrator.storage import StoreConfig, open_store

pytestmark = pytest.mark.s3

WRITES = {
    "PutObject",
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
}
#: Of a stage: the journal and the heartbeats go by the clock instead.
MOST = 5


@pytest.fixture
def written(tmp_path, rclone, credentials, monkeypatch):
    """Runs a sweep on a server: how many writes below each top folder, by stage; and the seconds it took."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(name, seeds):
        store = open_store(StoreConfig(f"s3://sweeps/{tmp_path.name}/{name}", endpoint=rclone))
        keys = []

        def note(model, params, **rest):
            if model.name in WRITES:
                keys.append(params["url"].partition(f"/{tmp_path.name}/{name}/")[2])

        store.bucket._client().meta.events.register("before-call.s3", note)
        plan = plan_of(tmp_path, TOY.replace("seed: [0, 1, 2]", f"seed: {list(range(seeds))}"))
        began = time.monotonic()
        summary = api.run(plan, store, engine="inline")
        seconds = time.monotonic() - began
        assert (summary.done, summary.failed) == (len(plan), ())
        assert len(plan) == UNIQUE // 3 * seeds
        return keys, seconds

    return run


def by_stage(keys):
    """Address -> how many objects below outputs/ and payload/ were written or deleted."""
    return Counter(key.split("/")[1] for key in keys if key.startswith(("outputs/", "payload/")))


def test_a_stage_writes_a_handful_of_objects_however_many_there_are(written):
    few, _ = written("few", 1)
    many, seconds = written("many", 5)
    assert max(by_stage(few).values()) == max(by_stage(many).values()) <= MOST
    # a network is a file and a manifest, a judge's verdict a manifest alone
    assert Counter(by_stage(many).values()) == {2: 5 * 5, 1: 5 * 9}
    others = [key for key in many if not key.startswith(("outputs/", "payload/"))]
    assert {key.split("/")[0] for key in others} <= {"runs", "drivers"}
    # the copy of the sweep file, the first beats and the last; then once a second, and a beat every few
    assert len(others) <= 12 + 2 * seconds
    assert len(many) / len(by_stage(many)) <= MOST
