"""The live picture on a real pseudo-terminal, and the plain lines where there is none."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hand_plans import HandPlan, event
from rich.cells import cell_len
from rich.console import Console
from toys.terminal import frames, on_a_terminal

from orchestrator.monitor.live import LiveView, PlainView, watch
from orchestrator.monitor.screen import picture
from orchestrator.monitor.tally import Tally

# a label of more than 80 columns
LONG = "magnitude.model architecture=wide_resnet(depth=22, width=2) dataset=digits sparsity=0.95 seed=0"

PROGRAM = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from hand_plans import HandPlan, event
from orchestrator.monitor.live import watch
from orchestrator.monitor.tally import Tally
plan = HandPlan(**{{f"train{{i}}": "" for i in range(40)}})
with watch(Tally(plan, {{"train39"}}), sys.stderr) as view:
    view(event("opened", time.time()))
    for i in range(30):
        view(event("started", time.time(), f"train{{i}}", label={LONG!r}, attempt=2))
        metrics = {{"validation.accuracy": 0.93}}
        view(event("progress", time.time(), f"train{{i}}", done=i, total=30, metrics=metrics))
    view(event("failed", time.time(), "train0", label={LONG!r}, reason="ValueError: " + "long " * 40))
    view(event("note", time.time(), text="there is no GPU here " * 9))
    time.sleep(0.8)
"""


def test_the_picture_fits_a_terminal_of_80_columns_and_24_lines():
    drawn = on_a_terminal("-c", PROGRAM, rows=24, columns=80)
    last = max(frames(drawn), key=len)
    lines = last.strip("\n").split("\n")
    assert all(cell_len(text) <= 80 for text in lines), lines
    assert len(lines) <= 24
    assert lines[0].startswith("hand ")
    assert "1/40  2 %" in lines[0]
    assert "29 running · 1 failed · 9 waiting" in lines[1]
    running = "try 2: magnitude.model wide_resnet(depth=22, width=2) … accuracy 0.93  1/30 0:00"
    assert running in lines
    assert "and 15 more" in lines
    assert any(text.startswith("failed magnitude.model architecture=wide") for text in lines)
    assert "\x1b[?25h" in drawn  # the cursor is back


def test_the_picture_names_what_runs_longest_first_and_counts_the_rest():
    plan = HandPlan(**{f"train{i}": "" for i in range(20)})
    tally = Tally(plan, set())
    tally.apply(event("opened", 0))
    for i in range(20):
        tally.apply(event("started", i, f"train{i}", label=f"run {i:02d}", node="n"))
    console = Console(file=io.StringIO(), width=80, height=16)
    console.print(picture(tally.snapshot(100), console.height))
    text = console.file.getvalue()
    assert [f"seed={i} " in text for i in range(8)] == [True] * 6 + [False] * 2
    assert "and 14 more" in text
    assert re.search(r"seed=0 .* 1:40", text)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def plain():
    clock, out = Clock(), io.StringIO()
    view = PlainView(Tally(HandPlan(**{f"train{i}": "" for i in range(1500)}), set()), out, clock)
    view(event("opened", clock.now))
    return view, out, clock


def finish(view, clock, i):
    view(event("started", clock.now, f"train{i}", label=f"train {i}"))
    view(event("finished", clock.now, f"train{i}", seconds=0.25))


def test_a_few_finished_stages_have_a_line_each(plain):
    view, out, clock = plain
    with view:
        finish(view, clock, 0)
        finish(view, clock, 1)
    assert out.getvalue() == "[    1/1,500] done train 0 (0.2 s)\n[    2/1,500] done train 1 (0.2 s)\n"


def test_many_finished_stages_have_a_few_lines_and_a_summary(plain):
    view, out, clock = plain
    with view:
        for i in range(1000):
            clock.now = 1000 + i / 100
            finish(view, clock, i)
    lines = out.getvalue().splitlines()
    assert len(lines) == 10 * 3 + 1
    (summary,) = (line for line in lines if "done" not in line)
    # after 5 s 500 are finished and the next runs: 1,000 are left, of 0.25 s each, 25 at once
    assert summary == "[  500/1,500] 1 running · 999 waiting · 100.0/s · about 10 s left · 0:05"


def test_a_failure_is_said_at_once_and_in_one_line(plain):
    view, out, clock = plain
    for i in range(50):
        finish(view, clock, i)
    view(event("failed", clock.now, "train60", label="train 60", reason="ValueError:\n  no"))
    assert out.getvalue().splitlines()[-1] == "[   50/1,500] FAILED train 60: ValueError: no"


def test_a_long_silence_is_broken_by_a_sign_of_life(plain):
    view, out, clock = plain
    view(event("started", clock.now, "train0", label="train 0"))
    for _ in range(100):
        clock.now += 1
        view(event("progress", clock.now, "train0", done=1, total=9))
    assert out.getvalue().count("1 running") == 1


def test_without_a_terminal_the_lines_are_plain():
    tally = Tally(HandPlan(train1=""), set())
    assert isinstance(watch(tally, io.StringIO()), PlainView)


def test_on_a_terminal_plain_lines_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    out.isatty = lambda: True
    tally = Tally(HandPlan(train1=""), set())
    assert isinstance(watch(tally, out, plain=True), PlainView)
    assert isinstance(watch(tally, out), LiveView)
