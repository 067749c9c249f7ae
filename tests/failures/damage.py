"""Ways in which what lies in a store gets damaged, behind the back of whoever wrote it.

A damage is a function of a store and the address of an output.
"""

from __future__ import annotations

from orchestrator.storage import Store


def payload_of(store: Store, address: str) -> str:
    """The key of the file of an output that every step of it is in."""
    return next(key for key in store.list_keys(f"payload/{address}/") if key.endswith("/state"))


def content_of(store: Store, key: str) -> bytes:
    """What lies under ``key``."""
    content = store.get_bytes(key)
    assert content is not None, f"there is no {key}"
    return content


def flip_a_byte(store: Store, address: str) -> None:
    flip(store, payload_of(store, address))


def flip(store: Store, key: str) -> None:
    """Change one bit of the object under ``key``, in its middle."""
    content = bytearray(content_of(store, key))
    content[len(content) // 2] ^= 1
    store.put_bytes(key, bytes(content))


def truncate(store: Store, address: str) -> None:
    key = payload_of(store, address)
    store.put_bytes(key, content_of(store, key)[:-1])


def take_a_file(store: Store, address: str) -> None:
    store.delete_keys([payload_of(store, address)])


def take_the_payload(store: Store, address: str) -> None:
    store.drop_payload(address)


def tear_the_manifest(store: Store, address: str) -> None:
    key = manifest_of(address)
    store.put_bytes(key, content_of(store, key)[:-50])


def empty_the_manifest(store: Store, address: str) -> None:
    store.put_bytes(manifest_of(address), b"")


def change_a_number(store: Store, address: str) -> None:
    key = manifest_of(address)
    text = content_of(store, key)
    at = text.index(b"0.", text.index(b'"weight"')) + 2
    store.put_bytes(key, text[:at] + (b"1" if text[at : at + 1] != b"1" else b"2") + text[at + 1 :])


def manifest_of(address: str) -> str:
    """The key of the manifest of an output."""
    return f"outputs/{address}/manifest.json"
