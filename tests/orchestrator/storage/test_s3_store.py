"""What is particular to a store in an S3-compatible service, on a real server."""

from __future__ import annotations

import os
import re
import time

import pytest

from orchestrator.errors import InputError, OutputDamaged, StoreError
from orchestrator.storage import StoreConfig, open_store
from orchestrator.storage.cache import Cache
from orchestrator.storage.s3 import S3Bucket, parse
from orchestrator.storage.scratch import Scratch

A = "1234567890abcdef"
SECRET = "sparsweep-tests-secret"

pytestmark = pytest.mark.s3


@pytest.fixture
def store(rclone, credentials, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return open_store(StoreConfig(f"s3://sweeps/{tmp_path.name}", endpoint=rclone))


@pytest.fixture
def requests(store):
    """The operation and the headers of every request that is sent."""
    sent = []

    def note(model, params, **rest):
        sent.append((model.name, params["headers"]))

    store.bucket._client().meta.events.register("before-call.s3", note)
    return sent


def publish(store, files, address=A):
    with store.publish(address) as draft:
        for name, content in files.items():
            (draft.folder / name).write_bytes(content)
        draft.manifest = {"stage": "train"}


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://sweeps", ("sweeps", "")),
        ("s3://sweeps/", ("sweeps", "")),
        ("s3://my.sweeps-1/a/b/", ("my.sweeps-1", "a/b/")),
        ("s3://sweeps//a//b", ("sweeps", "a/b/")),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(uri, place):
    assert parse(uri) == place


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///x", "s3://ab", "s3://Upper/x", "s3://sweeps/../other", "s3://a_b_c"]
)
def test_a_wrong_address_is_an_input_error(uri):
    with pytest.raises(InputError, match=re.escape(uri)):
        open_store(uri)


def test_an_address_with_a_login_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="holds no login") as refused:
        open_store("s3://key:hunter2hunter2@sweeps/x")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("place", ["config", "environment"])
def test_an_endpoint_with_a_login_is_refused_and_not_repeated(credentials, monkeypatch, place):
    endpoint = "http://key:hunter2hunter2@127.0.0.1:9"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    config = StoreConfig("s3://sweeps/x", endpoint=endpoint if place == "config" else None)
    with pytest.raises(InputError, match="its endpoint holds a login, which no request uses") as refused:
        open_store(config)
    assert "hunter2" not in str(refused.value)


def test_the_endpoint_may_come_from_the_environment_and_travels_to_workers(rclone, credentials, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", rclone)
    assert open_store("s3://sweeps/x").config == StoreConfig("s3://sweeps/x", endpoint=rclone)


def test_the_endpoint_may_come_from_a_profile(rclone, credentials, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keys = [f"{name.lower()} = {os.environ[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    lab = ["[profile lab]", f"endpoint_url = {rclone}", *keys]
    (tmp_path / "config").write_text("\n".join([*lab, "[profile aws]", "region = eu-west-1", *keys]))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    store = open_store(StoreConfig(f"s3://sweeps/{tmp_path.name}", profile="lab"))
    publish(store, {"model": b"weights"})
    assert (store.fetch(A) / "model").read_bytes() == b"weights"
    config = store.bucket._client().meta.config
    assert config.request_checksum_calculation == config.response_checksum_validation == "when_required"
    assert config.s3["addressing_style"] == "path"
    amazon = S3Bucket(StoreConfig("s3://sweeps/x", profile="aws"), tmp_path / "own")._client().meta
    assert amazon.endpoint_url == "https://s3.eu-west-1.amazonaws.com"
    assert amazon.config.s3["addressing_style"] == "auto"


def test_a_bucket_that_does_not_exist_is_an_input_error(rclone, credentials):
    with pytest.raises(InputError, match="there is no bucket 'nowhere'; make it first"):
        open_store(StoreConfig("s3://nowhere/x", endpoint=rclone))


def test_a_wrong_key_is_an_input_error_that_does_not_show_it(rclone, credentials, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-wrong")
    with pytest.raises(InputError, match=r"no permission \(.*\); give AWS_ACCESS_KEY_ID") as refused:
        open_store(StoreConfig("s3://sweeps/x", endpoint=rclone))
    assert "wrong-secret" not in str(refused.value)


def test_no_credentials_is_an_input_error(rclone, credentials, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match=r"Unable to locate credentials; give AWS_ACCESS_KEY_ID"):
        open_store(StoreConfig("s3://sweeps/x", endpoint=rclone))


def test_a_profile_that_does_not_exist_is_an_input_error(rclone, credentials):
    with pytest.raises(InputError, match=r"\(nobody\) could not be found"):
        open_store(StoreConfig("s3://sweeps/x", endpoint=rclone, profile="nobody"))


def test_a_service_that_is_not_there_is_a_store_error(credentials):
    with pytest.raises(StoreError, match=r"cannot list: .*127\.0\.0\.1:9/.*run the same command again"):
        open_store(StoreConfig("s3://sweeps/x", endpoint="http://127.0.0.1:9"))


@pytest.mark.parametrize("endpoint", ["nonsense", "http://"])
def test_an_endpoint_that_is_no_address_is_an_input_error(credentials, endpoint):
    with pytest.raises(InputError, match="an endpoint is https://host:port"):
        open_store(StoreConfig("s3://sweeps/x", endpoint=endpoint))


def test_the_key_is_in_no_object_and_no_file(store, tmp_path):
    publish(store, {"file": b"1"})
    store.fetch(A)
    objects = store.get_many(store.list_keys(""))
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(objects) == 2
    assert files
    assert not any(SECRET.encode() in content for content in [*objects, *files])


@pytest.mark.parametrize("already", [0, 60])
def test_a_stage_writes_its_files_and_one_manifest_however_many_there_are(store, requests, already):
    for number in range(already):
        publish(store, {}, f"{number:016x}")
    requests.clear()
    publish(store, {"model": b"1", "log": b"2"})
    written = [name for name, _ in requests if name not in ("GetObject", "ListObjectsV2", "HeadObject")]
    assert written == ["PutObject"] * 3


def test_compatible_services_get_no_checksum_they_may_not_know(store, requests):
    publish(store, {"model": b"1" * 9_000_000})
    store.discard(A)
    assert {"PutObject", "CreateMultipartUpload", "UploadPart", "DeleteObject"} <= {
        name for name, _ in requests
    }
    sent = {header.lower() for _, headers in requests for header in headers}
    assert not any(
        header.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")) for header in sent
    )


def test_what_was_fetched_is_not_fetched_again(store, requests):
    publish(store, {"model": b"1", "log": b"2"})
    store.fetch(A)
    requests.clear()
    store.fetch(A)
    assert [name for name, _ in requests] == ["GetObject"]  # the manifest


def test_a_copy_that_was_damaged_on_this_machine_is_fetched_again(store):
    publish(store, {"model": b"weights"})
    path = store.fetch(A) / "model"
    path.chmod(0o644)
    path.write_bytes(b"wei")
    assert (store.fetch(A) / "model").read_bytes() == b"weights"


def test_quarantine_looks_at_the_service_not_at_the_copy(store):
    publish(store, {"model": b"weights"})
    store.fetch(A)
    (key,) = store.list_keys("payload/")
    store.bucket.put(key, b"weiGhts")
    store.quarantine(A, "another machine saw it damaged")
    assert store.done() == set()


def test_damage_in_the_service_is_told(store):
    publish(store, {"model": b"weights"})
    (key,) = store.list_keys("payload/")
    store.bucket.put(key, b"weiGhts")
    store._verified.clear()
    with pytest.raises(OutputDamaged, match="model has sha256"):
        store.fetch(A)


def test_an_error_of_the_service_says_where_and_what(store, credentials, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-wrong")
    bucket = S3Bucket(store.config)
    with pytest.raises(StoreError, match=r"runs/x: cannot write: .*no permission; give AWS_ACCESS_KEY_ID"):
        bucket.put("runs/x", b"1")


def test_the_cache_drops_what_was_not_used_for_longest_and_nothing_in_use(tmp_path):
    cache = Cache(tmp_path / "cache", Scratch(tmp_path / "scratch"), limit_bytes=250)
    now = time.time()
    for age_hours, name in enumerate(("new", "day", "old")):
        folder = cache.folder(f"payload/{name}/1/")
        cache.fill(folder / "deep/file", lambda path: path.write_bytes(b"x" * 100) and None)
        os.utime(folder, (now - 7200 * age_hours,) * 2)
    cache.trim(now)
    assert sorted(path.name for path in (tmp_path / "cache/payload").iterdir() if any(path.iterdir())) == [
        "day",
        "new",
    ]
    for path in (tmp_path / "cache/payload").glob("*/*"):
        os.utime(path, (now, now))
    cache = Cache(tmp_path / "cache", Scratch(tmp_path / "scratch"), limit_bytes=10)
    cache.trim(now)
    assert len(list((tmp_path / "cache").rglob("file"))) == 2


def test_a_copy_that_broke_off_is_not_there(tmp_path):
    cache = Cache(tmp_path / "cache", Scratch(tmp_path / "scratch"))

    def broken(path):
        path.write_bytes(b"ha")
        raise ConnectionError

    folder = cache.folder("payload/a/1/")
    with pytest.raises(ConnectionError):
        cache.fill(folder / "file", broken)
    assert list(folder.iterdir()) == []
    assert [path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == ["lock"]
