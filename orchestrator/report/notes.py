"""The warnings below a table: what says the same with other numbers is one note, with the range of each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.report.cell import Cell

#: A number that stands for itself: no part of a name (``conv1``, ``layer2.0``).
NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?!\w|\.\d)")


@dataclass(frozen=True)
class Notes:
    """The warnings of a table in the order in which a reader meets them, each behind its mark."""

    texts: tuple[str, ...]
    places: Mapping[str, int]
    """Warning as it was given -> which of the texts says it."""

    def numbered(self) -> Iterator[str]:
        """The texts behind their marks."""
        return (f"[{index}] {text}" for index, text in enumerate(self.texts, 1))

    def mark(self, text: str) -> str:
        """The mark of a warning."""
        return f" [{self.places[text] + 1}]"

    def marks(self, cell: Cell | None) -> str:
        """The marks of a cell; where only some of its values carry one: `` [2: 1 of 3]``."""
        if cell is None:
            return ""
        found: Counter[int] = Counter()
        for text, count in cell.notes.items():
            found[self.places[text] + 1] += count
        return "".join(
            f" [{mark}]" if count >= cell.n else f" [{mark}: {count} of {cell.n}]"
            for mark, count in sorted(found.items())
        )


def footnotes(texts: Iterable[str]) -> Notes:
    """The notes that say all ``texts``, which may occur more than once."""
    alike: dict[str, list[str]] = defaultdict(list)
    once = dict.fromkeys(texts)
    for text in once:
        alike[NUMBER.sub("#", text)].append(text)
    order = {kind: place for place, kind in enumerate(alike)}
    return Notes(
        tuple(merged(found) for found in alike.values()),
        {text: order[NUMBER.sub("#", text)] for text in once},
    )


def notes_in(cells: Iterable[Cell]) -> Iterator[str]:
    """The warnings of all cells."""
    return (text for cell in cells for text in cell.notes)


def counted_notes(counts: Mapping[str, int]) -> dict[str, int]:
    """Warning -> how many carry it, with those that differ in numbers alone as one."""
    notes = footnotes(counts)
    found: Counter[str] = Counter()
    for text, count in counts.items():
        found[notes.texts[notes.places[text]]] += count
    return dict(found)


def merged(texts: Sequence[str]) -> str:
    """One text for several that differ in numbers alone: ``2 to 5 of 25 images``."""
    ranges = iter(
        [_range(numbers) for numbers in zip(*(NUMBER.findall(text) for text in texts), strict=True)]
    )
    return NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Iterable[str]) -> str:
    """``2`` or ``2 to 5``, as they were written."""
    ascending = sorted({*numbers}, key=float)
    least, most = ascending[0], ascending[-1]
    return least if least == most else f"{least} to {most}"
