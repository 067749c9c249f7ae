"""What a store stands on: whole objects under keys.

A bucket knows nothing of stages. A key is a relative name with slashes (``outputs/0f.../manifest.json``). A
bucket need not offer conditional writes, renames or locks; `orchestrator.storage.store` gets by without them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.storage.scratch import Scratch


@dataclass(frozen=True)
class StoreConfig:
    """Where a store is. Holds no secret; every process opens its own client from it."""

    uri: str
    """A folder, or ``s3://bucket/prefix``."""
    endpoint: str | None = None
    """The address of an S3-compatible service; None is AWS."""
    region: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing: its key, its bytes, and when it was written by the server's clock."""

    key: str
    size: int
    modified: float
    tag: str = ""
    """Another one whenever the object is another one; empty where it may be read as cheaply as listed."""


class Bucket(ABC):
    """Whole objects under keys. Every method may raise `StoreError`: where, what, what instead."""

    parallel: ClassVar[int] = 1
    """How many requests at once are worth it; 1 where waiting is no part of the cost."""
    page: ClassVar[int] = 1000
    """How many objects one answer to a listing holds at most, where it comes in several."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where it is, for people."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[Entry]:
        """The objects whose keys start with ``prefix``, in no promised order."""

    @abstractmethod
    def entries(self, prefix: str) -> Sequence[Entry]:
        """The same at once, where the next part of a key begins with a hexadecimal digit; others may miss.

        Large ones are listed in parallel.
        """

    @abstractmethod
    def holders(self, prefix: str, name: str) -> dict[str, str]:
        """The folders directly below ``prefix`` that hold an object ``name`` which is not empty: its tag.

        The folders are named by hexadecimal digits; others may be left out.
        """

    @abstractmethod
    def get(self, key: str, tag: str = "") -> bytes:
        """The object under ``key``; with the tag that a listing gave, as it was then will do.

        Raises:
            KeyError: there is none.
        """

    @abstractmethod
    def fetch(self, key: str, path: Path) -> None:
        """Write the object under ``key`` to the new file ``path``, past every copy on this machine.

        Raises:
            KeyError: there is none.
        """

    @abstractmethod
    def sha256(self, key: str) -> str:
        """The sha256 of the object under ``key``, read anew from where it is.

        Raises:
            KeyError: there is none.
        """

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write an object: readers see the old one, or all of the new one."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""

    @abstractmethod
    def remove(self, prefix: str) -> None:
        """Delete every object below ``prefix``, which ends with a slash."""

    @abstractmethod
    def upload(self, folder: Path, prefix: str) -> None:
        """Write every file of ``folder`` below ``prefix``, which ends with a slash and holds nothing yet.

        Takes ``folder`` over: it may be gone afterwards.
        """

    @abstractmethod
    def download(self, prefix: str, names: Collection[str], *, fresh: bool = False) -> Path:
        """A read-only folder of this machine with the files ``names`` from below ``prefix``.

        What is not there is left out. It may be a copy from before, unless ``fresh``. Nothing is verified
        here.
        """

    @property
    @abstractmethod
    def scratch(self) -> Scratch:
        """Folders of this machine from which `upload` is cheap."""

    @abstractmethod
    def now(self) -> float:
        """The server's clock, comparable with `Entry.modified`: seconds since 1970."""
