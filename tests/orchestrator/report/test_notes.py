"""Notes below tables: what is one, what its numbers become, and which cells carry it."""

from __future__ import annotations

from orchestrator.report.cell import Cell
from orchestrator.report.notes import counted_notes, footnotes, notes_in

HELPED = "a longer search fools the network on {} of {} images: about {} points too high"


def test_warnings_that_differ_in_numbers_alone_are_one_with_their_ranges():
    notes = footnotes([HELPED.format(2, 25, "9.5"), "odd", HELPED.format(11, 25, 3)])
    assert notes.texts == (HELPED.format("2 to 11", 25, "3 to 9.5"), "odd")


def test_digits_in_names_are_no_numbers():
    texts = ["pruning left a single weight in conv1", "pruning left a single weight in conv2"]
    more = ["layer2.0 stayed dense", "layer2.1 stayed dense"]
    assert footnotes(texts + more).texts == (*texts, *more)


def test_a_cell_carries_each_note_once_with_how_many_of_its_values_have_it():
    cells = [
        Cell((0.1, 0.2, 0.3), 3, {"5 of 9": 1, "7 of 9": 1, "odd": 3}),
        Cell((0.1,), 1, {"odd": 1}),
        Cell((0.1,), 1, {}),
    ]
    notes = footnotes(notes_in(cells))
    assert list(notes.numbered()) == ["[1] 5 to 7 of 9", "[2] odd"]
    assert [notes.marks(cell) for cell in (*cells, None)] == [" [1: 2 of 3] [2]", " [2]", "", ""]


def test_counts_of_what_is_one_note_add_up():
    assert counted_notes({"10.5% wrong": 2, "odd": 1, "9% wrong": 3}) == {"9 to 10.5% wrong": 5, "odd": 1}
