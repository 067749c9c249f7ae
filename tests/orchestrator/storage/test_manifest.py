"""What a manifest says, and what it may not say."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress

import pytest

from orchestrator.storage.manifest import Manifest, StoredFile, check_name, digest_of

SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
A = "1234567890abcdef"


def manifest(**given):
    return Manifest(**{"address": A, "attempt": "ab12cd", "stage": "train", **given})


def text(**given):
    """A manifest as somebody else might write one: nothing vouches for it."""
    return json.dumps({**unsealed(manifest()), **given})


def unsealed(written):
    data = json.loads(written.to_json())
    del data["check"]
    return data


def test_a_manifest_reads_back_as_it_was():
    written = manifest(
        fields={"epochs": 30, "größe": [1.5, None, True]},
        inputs={"model": {"address": A, "part": "best", "digest": SHA}},
        metrics={"accuracy": 0.1 + 0.2},
        warnings=["chance accuracy"],
        files={"a/b.bin": StoredFile(3, SHA)},
        commit="4422f99",
        dirty=False,
        cpus=0.5,
    )
    assert Manifest.from_json(written.to_json()).to_json() == written.to_json()
    assert Manifest.from_json(written.to_json()).metrics["accuracy"] == 0.30000000000000004
    assert Manifest.from_json(written.to_json()).files == {"a/b.bin": StoredFile(3, SHA)}


def test_keys_of_a_later_version_are_left_out():
    assert Manifest.from_json(text(colour="blue")) == Manifest.from_json(text())


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "",
        ".",
        "a//b",
        "a/./b",
        "a/",
        "C:/x",
        "c:x",
        "..\\x",
        "\\\\host\\x",
        "a\x00b",
    ],
)
def test_a_file_name_cannot_leave_its_folder(name):
    with pytest.raises(ValueError, match="a file name must"):
        check_name(name)
    with pytest.raises(ValueError, match="a file name must"):
        Manifest.from_json(text(files={name: {"size": 1, "sha256": SHA}}))
    with pytest.raises(ValueError, match="a file name must"):
        manifest(files={name: StoredFile(1, SHA)}).to_json()


@pytest.mark.parametrize("name", ["a", "..a", "a..b/c", ".hidden", "größe 大.txt", "ab:c", "-rf"])
def test_an_ordinary_file_name_is_fine(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 2},
        {"address": "../../../../../x"},
        {"address": 5},
        {"attempt": "../../outputs"},
        {"attempt": ""},
        {"metrics": [1]},
        {"files": None},
        {"files": {"x": 3}},
        {"files": {"x": {"size": -1, "sha256": SHA}}},
        {"files": {"x": {"size": 1, "sha256": "abc"}}},
        {"stage": None},
    ],
    ids=str,
)
def test_what_is_no_manifest_is_a_value_error(wrong):
    with pytest.raises(ValueError):
        Manifest.from_json(text(**wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": {"test.accuracy": "0.9"}},
        {"metrics": {"test.accuracy": True}},
        {"metrics": {"test.accuracy": None}},
        {"metrics": {"test.accuracy": float("nan")}},
        {"measured": {"seconds": [1]}},
        {"warnings": [1]},
        {"fingerprints": {"digits": 5}},
        {"inputs": {"model": A}},
        {"inputs": {"model": {"address": "../../x", "digest": ""}}},
        {"inputs": {"model": {"address": A}}},
        {"inputs": {"model": {"address": A, "digest": "", "part": "../best"}}},
        {"inputs": {"model": {"address": A, "digest": "", "part": "/etc"}}},
        {"inputs": {"models": [{"address": A, "digest": ""}, {"address": A[:-1], "digest": ""}]}},
        {"inputs": {"../model": {"address": A, "digest": ""}}},
        {"inputs": {"model": None}},
    ],
    ids=str,
)
def test_contents_that_nothing_can_count_with_or_follow_are_a_value_error(wrong):
    with pytest.raises(ValueError, match=r"no number|no text|the input|a file name must"):
        Manifest.from_json(text(**wrong))


def test_a_flipped_bit_anywhere_is_found_or_changes_nothing():
    inputs = {"model": {"address": A, "digest": SHA}}
    written = manifest(metrics={"accuracy": 0.5}, inputs=inputs, warnings=[])
    content, unnoticed = written.to_json(), set()
    for place, bit in itertools.product(range(len(content)), range(8)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        with suppress(ValueError):
            assert Manifest.from_json(bytes(flipped)) == written
            unnoticed.add(place)
    name = content.rindex(b"check")
    assert unnoticed <= set(range(name, name + len("check")))


def test_a_manifest_that_was_edited_is_none():
    content = manifest(metrics={"accuracy": 0.5}).to_json()
    with pytest.raises(ValueError, match="changed after it was written"):
        Manifest.from_json(content.replace(b"0.5", b"0.6"))


@pytest.mark.parametrize("missing", ["address", "attempt", "stage", "files", "format"])
def test_a_manifest_without_its_essentials_is_none(missing):
    held = unsealed(manifest())
    del held[missing]
    with pytest.raises(ValueError, match=missing):
        Manifest.from_json(json.dumps(held))


def test_the_digest_is_that_of_sha256sum_in_sorted_order():
    files = {"b": StoredFile(3, SHA), "a": StoredFile(3, SHA)}
    # printf '%s  a\n%s  b\n' $SHA $SHA | sha256sum
    assert digest_of(files) == "6e0534855d1d183250459e82c311fb77578cf75019787625a10154399462260d"
    assert digest_of(files) == digest_of(dict(reversed(files.items())))
    assert digest_of({"a": StoredFile(3, SHA), "c": StoredFile(3, SHA)}) != digest_of(files)
