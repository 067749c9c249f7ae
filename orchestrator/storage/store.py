"""Outputs, checkpoints and runs on a bucket: the only truth about what is done.

``outputs/<address>/manifest.json`` is written last and alone says *done*. It names the attempt whose payload
lies below ``payload/<address>/<attempt>/``, so one write commits a whole output and two attempts cannot mix.
Of several publishers the first stays; should two pass the check at once, the later manifest stays and both
payloads are whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar, final

from orchestrator.errors import InputError, OutputDamaged, OutputMissing, StoreError
from orchestrator.storage import checkpoints
from orchestrator.storage.base import Bucket, StoreConfig
from orchestrator.storage.files import collect, difference, seal
from orchestrator.storage.manifest import ADDRESS, Manifest, StoredFile, check_name, digest_of
from orchestrator.storage.scratch import Scratch

T = TypeVar("T")
U = TypeVar("U")

#: So many manifests are asked for one by one; more are listed first.
FEW = 64


class Draft:
    """An output in the making: set `manifest` and fill `folder` before the block ends."""

    def __init__(self, folders: Scratch) -> None:
        self._folders = folders
        self.attempt = token_hex(6)
        self.folder = folders.new()
        """Empty at first; what lies in it at the end of the block is the payload."""
        self.manifest: Mapping[str, Any] | None = None
        """What the store does not know itself of the attributes of `Manifest`; None: publish nothing."""
        self.committed = False
        """After the block: whether this attempt is in the store; False where another was first."""

    @cached_property
    def scratch(self) -> Path:
        """A second empty folder, thrown away after the block; made when it is first asked for."""
        return self._folders.new()

    def clean(self) -> None:
        """Remove what was not moved into the store."""
        self._folders.free(self.folder)
        if "scratch" in vars(self):
            self._folders.free(self.scratch)


@final
class Store:
    """What `open_store` returns. For several threads, and to pickle: another process opens its own client."""

    def __init__(self, bucket: Bucket, config: StoreConfig) -> None:
        self.bucket = bucket
        self.config = config
        self._verified: set[tuple[str, str]] = set()
        self._empty: Path | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.bucket, self.config)

    @property
    def uri(self) -> str:
        """Where it is, for people."""
        return self.bucket.uri

    # Outputs

    def done(self) -> set[str]:
        """The addresses that have a manifest."""
        return set(self.listing())

    def listing(self) -> dict[str, str]:
        """The addresses that have a manifest, each with a tag that `manifests` makes use of."""
        found = self.bucket.holders("outputs/", "manifest.json")
        return {address: tag for address, tag in found.items() if ADDRESS.fullmatch(address)}

    def manifest(self, address: str) -> Manifest | None:
        """What is known about the output at ``address``, or None.

        Raises:
            OutputDamaged: what lies there is no manifest of this address.
        """
        text = self.get_bytes(_manifest(address))
        return None if text is None else self._read(address, text)

    def manifests(
        self, addresses: Iterable[str], listed: Mapping[str, str] | None = None
    ) -> dict[str, Manifest]:
        """What is known about each of ``addresses``; absent and damaged ones are left out.

        ``listed`` is a `listing` of just now, if there is one. On a remote store, what was read before and
        has the same tag is not fetched again.
        """
        wanted = list(dict.fromkeys(map(_checked, addresses)))
        if listed is None and self.bucket.parallel > 1 and len(wanted) > FEW:
            listed = self.listing()
        if listed is not None:
            wanted = [address for address in wanted if address in listed]
        tags = listed or {}
        texts = self._each(lambda address: self._get(_manifest(address), tags.get(address, "")), wanted)
        found = {}
        for address, text in zip(wanted, texts, strict=True):
            if text is not None:
                with suppress(OutputDamaged):
                    found[address] = self._read(address, text)
        return found

    def fetch(self, address: str) -> Path:
        """The verified read-only folder of the payload; sizes are checked every time, contents once.

        Raises:
            OutputMissing: there is no output, or its payload was dropped.
            OutputDamaged: it is not what its manifest says.
        """
        manifest = self._wanted(address)
        try:
            return self._payload(manifest)
        except (OutputMissing, OutputDamaged):
            again = self._wanted(address)
            if again.attempt == manifest.attempt:
                raise
            return self._payload(again)  # it was replaced between the two reads

    @contextmanager
    def publish(self, address: str) -> Iterator[Draft]:
        """A draft that becomes the output at ``address`` when the block ends with a manifest set.

        If the block raises, sets no manifest, or another attempt was published first, nothing of it remains.

        Raises:
            StoreError: the payload could not be written, or the manifest cannot be stored.
        """
        draft = Draft(self.bucket.scratch)
        try:
            yield draft
            if draft.manifest is not None:
                self._commit(_checked(address), draft)
        finally:
            draft.clean()

    def discard(self, address: str) -> None:
        """Forget the output at ``address``: its manifest, then its payload."""
        self.bucket.delete([_manifest(address)])
        self.drop_payload(address)

    def drop_payload(self, address: str) -> None:
        """Delete the files of an output that stays done; publishing it again brings them back."""
        self.bucket.remove(f"payload/{_checked(address)}/")

    def dropped(self, addresses: Iterable[str]) -> set[str]:
        """Those of ``addresses`` that are done and whose files are all gone, as after `drop_payload`."""
        manifests = [item for item in self.manifests(addresses).values() if item.files]
        if len(manifests) > FEW:
            there = {entry.key.split("/")[1] for entry in self.bucket.entries("payload/")}
            return {manifest.address for manifest in manifests if manifest.address not in there}
        prefixes = [_payload(manifest.address, manifest.attempt) for manifest in manifests]
        found = self._each(lambda prefix: any(True for _ in self.bucket.list(prefix)), prefixes)
        return {item.address for item, is_there in zip(manifests, found, strict=True) if not is_there}

    def is_whole(self, address: str) -> bool:
        """Whether there is an output at ``address`` whose files are all there with their sizes."""
        try:
            manifest = self.manifest(address)
        except OutputDamaged:
            return False
        if manifest is None:
            return False
        return self._sizes_agree(_payload(address, manifest.attempt), manifest.files)

    def quarantine(self, address: str, why: str) -> None:
        """Take a damaged output out of the store, so that it is made again.

        Its manifest is kept below ``quarantine/``. Does nothing if the output is whole by now, because
        somebody made it again since the damage was seen.
        """
        text = self.get_bytes(_manifest(address))
        if text is None:
            return
        with suppress(OutputMissing, OutputDamaged):
            self._payload(self._wanted(address), fresh=True)
            return
        kept = {"address": address, "why": why, "at": time.time(), "manifest": text.decode(errors="replace")}
        self.bucket.put(f"quarantine/{address}-{token_hex(6)}.json", json.dumps(kept).encode())
        self.bucket.delete([_manifest(address)])

    def adopt(self, address: str, text: bytes, folder: Path | None) -> None:
        """Publish an output of another store as it is: ``text`` is its manifest, ``folder`` its payload.

        Takes ``folder`` over; None is a payload that was dropped. Every file is read back before the manifest
        is written. Nothing happens if a whole output is there already.

        Raises:
            OutputDamaged: the folder is not what the manifest says, or did not arrive so.
            StoreError: the store cannot be written.
        """
        manifest = self._read(address, text)
        if self.is_whole(address):
            return
        if manifest.files and folder is not None:
            if seal(folder) != manifest.files:
                problem = difference(folder, manifest.files, hashes=True)
                raise OutputDamaged(
                    f"{address}: {problem or 'there are files that its manifest does not name'}"
                )
            prefix = _payload(address, manifest.attempt)
            self.bucket.remove(prefix)  # what a copy that broke off has left
            self.bucket.upload(folder, prefix)
            for name, recorded in manifest.files.items():
                if self.bucket.sha256(prefix + name) != recorded.sha256:
                    raise OutputDamaged(f"{self.uri}/{prefix}{name}: it did not arrive as it was sent")
        self.bucket.put(_manifest(address), text)

    # Checkpoints

    def latest_checkpoint(self, address: str) -> tuple[int, Path] | None:
        """The step and the read-only folder of the newest checkpoint that is whole, or None."""
        return checkpoints.latest(self.bucket, _checked(address))

    def save_checkpoint(self, address: str, step: int, folder: Path) -> None:
        """Take ``folder`` over as the state after ``step`` steps, all or nothing; the last two are kept."""
        checkpoints.save(self.bucket, _checked(address), step, folder)

    def clear_checkpoints(self, address: str) -> None:
        """Delete what `save_checkpoint` kept for ``address``, whole or not."""
        self.bucket.remove(f"checkpoints/{_checked(address)}/")

    # Everything else, below runs/ and drivers/

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write an object, whole or not at all."""
        self.bucket.put(check_name(key), data)

    def get_bytes(self, key: str) -> bytes | None:
        """The object under ``key``, or None."""
        return self._get(key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The objects under ``keys`` in their order, None where there is none; in parallel if that helps."""
        return self._each(self._get, keys)

    def list_keys(self, prefix: str) -> list[str]:
        """The keys that start with ``prefix``, sorted."""
        return sorted(entry.key for entry in self.bucket.list(prefix))

    def delete_keys(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        self.bucket.delete([check_name(key) for key in keys])

    def now(self) -> float:
        """The clock of the server, the same for everyone: seconds since 1970."""
        return self.bucket.now()

    # Inside

    def _get(self, key: str, tag: str = "") -> bytes | None:
        try:
            return self.bucket.get(check_name(key), tag)
        except KeyError:
            return None

    def _each(self, act: Callable[[T], U], items: Sequence[T]) -> list[U]:
        """What ``act`` returns for each item, several at once where that helps."""
        if self.bucket.parallel == 1 or len(items) < 2:  # noqa: PLR2004 - one request needs no threads
            return list(map(act, items))
        with ThreadPoolExecutor(self.bucket.parallel) as threads:
            return list(threads.map(act, items))

    def _wanted(self, address: str) -> Manifest:
        manifest = self.manifest(address)
        if manifest is None:
            raise OutputMissing(f"{self.uri}: no output for {address}; was the stage that makes it run?")
        return manifest

    def _read(self, address: str, text: bytes) -> Manifest:
        try:
            manifest = Manifest.from_json(text)
        except ValueError as error:
            raise OutputDamaged(f"{self.uri}/{_manifest(address)}: no manifest: {error}") from None
        if manifest.address != address:
            raise OutputDamaged(f"{self.uri}/{_manifest(address)}: it is the manifest of {manifest.address}")
        return manifest

    def _payload(self, manifest: Manifest, *, fresh: bool = False) -> Path:
        if not manifest.files:
            return self._empty_folder()
        prefix = _payload(manifest.address, manifest.attempt)
        known = (manifest.address, manifest.attempt)
        hashes = fresh or known not in self._verified
        folder, problem = collect(self.bucket, prefix, manifest.files, hashes=hashes, fresh=fresh)
        if problem is None:
            self._verified.add(known)
            return folder
        where = f"{self.uri}/{prefix}"
        if not any((folder / name).exists() for name in manifest.files):
            raise OutputMissing(f"{where}: the files of this {manifest.stage} were dropped; run it again")
        raise OutputDamaged(f"{where}: {problem}; the {manifest.stage} must be run again")

    def _empty_folder(self) -> Path:
        if self._empty is None or not self._empty.is_dir():
            self._empty = self.bucket.scratch.new()
            self._empty.chmod(0o555)
        return self._empty

    def _commit(self, address: str, draft: Draft) -> None:
        """Payload first, manifest last; nothing if a whole output is there already."""
        try:
            files = seal(draft.folder)
            own = {"address": address, "attempt": draft.attempt, "files": files, "digest": digest_of(files)}
            manifest = Manifest(**{**(draft.manifest or {}), **own})
            text = manifest.to_json()
        except (TypeError, ValueError) as error:
            raise StoreError(f"{address}: this output cannot be stored: {error}") from error
        if self.is_whole(address):
            return
        if files and not self._upload(address, draft):
            return
        try:
            self.bucket.put(_manifest(address), text)
        except StoreError:
            # The write may have arrived, or may still arrive: the payload must stay.
            if self.get_bytes(_manifest(address)) != text:
                raise
        draft.committed = True
        self._verified.add((address, draft.attempt))

    def _upload(self, address: str, draft: Draft) -> bool:
        """Write the payload; False, and it is gone again, if another attempt was published meanwhile."""
        prefix, late = _payload(address, draft.attempt), True
        try:
            self.bucket.upload(draft.folder, prefix)
            late = self.is_whole(address)
        finally:
            if late:
                with suppress(StoreError):  # what cannot be removed now is no output either, and gc finds it
                    self.bucket.remove(prefix)
        return not late

    def _sizes_agree(self, prefix: str, files: Mapping[str, StoredFile]) -> bool:
        found = {entry.key[len(prefix) :]: entry.size for entry in self.bucket.list(prefix)} if files else {}
        return all(found.get(name) == recorded.size for name, recorded in files.items())


def _checked(address: str) -> str:
    if not ADDRESS.fullmatch(address):
        raise InputError(f"an address is 16 hexadecimal digits, got {address!r}")
    return address


def _manifest(address: str) -> str:
    return f"outputs/{_checked(address)}/manifest.json"


def _payload(address: str, attempt: str) -> str:
    return f"payload/{address}/{attempt}/"
