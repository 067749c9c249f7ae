"""Files on first use: from the network, from an archive that lies there, or an error that says what to do."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from urllib.error import URLError

import pytest
from miniatures import FIELDS

from orchestrator.build import build
from workloads.datasets import _decoded, _download
from workloads.datasets._download import Remote, files_of
from workloads.datasets._root import VARIABLE
from workloads.datasets.base import Dataset
from workloads.datasets.tiny_imagenet import TinyImagenet


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def published(tmp_path) -> Path:
    """A file that somebody offers."""
    path = tmp_path / "offered" / "set.bin"
    path.parent.mkdir()
    path.write_bytes(b"content")
    return path


@pytest.fixture
def offline(monkeypatch):
    """No network; what was asked for comes back."""
    asked = []

    def fail(request, timeout):
        asked.append(request.full_url)
        raise URLError("no route to host")

    monkeypatch.setattr(_download, "urlopen", fail)
    return asked


def test_a_missing_file_is_downloaded_once(published, empty_root):
    remote = Remote("sub/set.bin", (published.as_uri(),), md5(published))
    (found,) = files_of("set", ["sub/set.bin"], lambda: [remote])
    assert found == empty_root / "sub/set.bin"
    assert found.read_bytes() == b"content"
    assert [path.name for path in found.parent.iterdir()] == ["set.bin"]
    published.unlink()
    assert files_of("set", ["sub/set.bin"], lambda: pytest.fail("nothing is missing")) == [found]


def test_the_next_address_is_asked_if_one_fails(published, empty_root, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"damaged")
    urls = ((tmp_path / "nowhere").as_uri(), wrong.as_uri(), published.as_uri())
    (found,) = files_of("set", ["set.bin"], lambda: [Remote("set.bin", urls, md5(published))])
    assert found.read_bytes() == b"content"


def test_a_file_with_another_md5_is_not_kept(published, empty_root):
    with pytest.raises(RuntimeError, match=f"gave a file with the md5 {md5(published)} instead of 123"):
        files_of("set", ["set.bin"], lambda: [Remote("set.bin", (published.as_uri(),), "123")])
    assert not (empty_root / "set.bin").exists()


def test_a_download_that_breaks_off_is_not_kept(empty_root, monkeypatch):
    class Answer(BytesIO):
        headers = {"Content-Length": "100"}  # noqa: RUF012 - as a response has it

    monkeypatch.setattr(_download, "urlopen", lambda request, timeout: Answer(b"half"))
    with pytest.raises(RuntimeError, match=r"http://x/set\.bin broke off after 4 of 100 bytes"):
        files_of("set", ["set.bin"], lambda: [Remote("set.bin", ("http://x/set.bin",))])
    assert not (empty_root / "set.bin").exists()


def test_a_download_says_how_far_it_is(published, empty_root, monkeypatch, caplog):
    published.write_bytes(bytes(50))
    monkeypatch.setattr(_download, "PIECE", 10)
    with caplog.at_level(logging.INFO, "sparsweep.data"):
        files_of("set", ["set.bin"], lambda: [Remote("set.bin", (published.as_uri(),))])
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"set: downloading set.bin from {published.as_uri()}"
    assert said[1:] == [f"set: downloading set.bin: {share} %" for share in (20, 40, 60, 80, 100)]


def test_an_archive_that_lies_there_is_unpacked_without_a_network(empty_root, offline, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_text("content")
    with tarfile.open(empty_root / "set.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "inside", "inside")
    remote = Remote("set.tar.gz", ("http://x",), "unasked", unpack=True, renamed=("inside", "other"))
    (found,) = files_of("set", ["other/file"], lambda: [remote])
    assert found.read_text() == "content"
    assert sorted(path.name for path in empty_root.iterdir()) == ["made", "other", "set.tar.gz"]
    assert offline == []


@pytest.mark.parametrize("ending", ["tar", "zip"])
def test_no_member_of_an_archive_gets_out_of_its_folder(ending, empty_root, tmp_path):
    (tmp_path / "bad").write_text("bad")
    if ending == "tar":
        with tarfile.open(empty_root / "set.tar", "w") as archive:
            archive.add(tmp_path / "bad", "../../escaped")
    else:
        with zipfile.ZipFile(empty_root / "set.zip", "w") as archive:
            archive.write(tmp_path / "bad", "../../escaped")
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        files_of("set", ["file"], lambda: [Remote(f"set.{ending}", ("http://x",), unpack=True)])
    assert not (tmp_path / "escaped").exists()


def test_a_damaged_archive_is_an_error_with_its_reason(empty_root):
    (empty_root / "set.tar.gz").write_bytes(b"\x1f\x8b\x08\0" + bytes(30))
    with pytest.raises(
        RuntimeError, match=r"set\.tar\.gz is no whole archive, delete it \(ReadError\)\); put"
    ):
        files_of("set", ["file"], lambda: [Remote("set.tar.gz", ("http://x",), unpack=True)])


OFFICIAL = {
    "mnist": "MNIST/raw/t10k-images-idx3-ubyte.gz",
    "fashion_mnist": "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz",
    "kmnist": "KMNIST/raw/t10k-images-idx3-ubyte.gz",
    "cifar10": "cifar-10-python.tar.gz",
    "cifar100": "cifar-100-python.tar.gz",
    "cifar10_c": "CIFAR-10-C.tar",
    "cifar100_c": "CIFAR-100-C.tar",
    "svhn": "test_32x32.mat",
    "textures_dtd": "dtd/dtd-r1.0.1.tar.gz",
    "places365": "val_256.tar",
    "tiny_imagenet": "tiny-imagenet-200.zip",
    "tiny_imagenet_c": "Tiny-ImageNet-C.tar",
    "lsun": "LSUN_resize.tar.gz",
    "isun": "iSUN.tar.gz",
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_without_a_network_the_error_names_the_file_and_where_to_put_it(name, empty_root, offline):
    with pytest.raises(RuntimeError) as failed:
        build(Dataset, {"name": name, **FIELDS[name]}).load("test", None)
    said = str(failed.value)
    assert f"must be in {empty_root} and could not be downloaded (<urlopen error no route to host>)" in said
    assert str(empty_root / OFFICIAL[name]) in said
    assert said.endswith(f"or name the folder that has them with --data or {VARIABLE}")
    assert all(url.startswith(("http://", "https://")) for url in offline)
    assert not [path for path in empty_root.rglob("*") if path.is_file() and path.parent.name != "locks"]


def test_who_needs_a_set_at_once_unpacks_and_decodes_it_once(miniatures, empty_root, monkeypatch):
    shutil.make_archive(str(empty_root / "tiny-imagenet-200"), "zip", miniatures, "tiny-imagenet-200")
    unpacked, opened = [], []
    unpack, square = _download._unpack, _decoded.square
    monkeypatch.setattr(
        _download, "_unpack", lambda path, folder: unpacked.append(path) or unpack(path, folder)
    )
    monkeypatch.setattr(_decoded, "square", lambda path, size: opened.append(path) or square(path, size))
    with ThreadPoolExecutor(4) as threads:  # a lock holds between threads as between processes
        loads = [threads.submit(TinyImagenet(size=16, validation=4).load, "train", None) for _ in range(4)]
        found = {load.result().digest for load in loads}
    assert len(found) == 1
    assert (len(unpacked), len(opened)) == (1, 14)
    assert not list(empty_root.glob(".unpacking*"))
