"""A section of a report: one entry of ``tables`` filled with what there is, ready for every format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Sheet:
    """What any format for people writes."""

    title: str
    caption: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    headers: int
    """How many columns at the left are row headers."""
    notes: tuple[str, ...]


class Section(Protocol):
    """What a format needs of an entry; each kind of entry is a file with a class that has these."""

    @property
    def title(self) -> str:
        """What the section is called, also in the name of its file."""

    def sheet(self, always_n: bool = True) -> Sheet:
        """Its text. Without ``always_n``, an n that all its numbers share stands in the caption only."""

    def lines(self) -> Iterable[Sequence[Any]]:
        """A header, then its numbers line by line, unrounded; None where there is none."""

    def content(self) -> Mapping[str, Any]:
        """The same as plain data, with what was asked for."""
