"""What docs/sweeps.md and README.md say of sweep files is so: examples plan, and outputs are real."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

import workloads.pruning
from docs import tables
from orchestrator import build
from orchestrator.cli import main
from orchestrator.spec import load
from orchestrator.spec.source import read_text
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.pruning.base import Criterion

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(.*?)(?=^```|\Z)", re.DOTALL | re.MULTILINE)
#: What `sparsweep plan` says of a sweep: trials, stages, and stages of one chain per trial.
COUNTS = re.compile(r"([\d,]+) trials need ([\d,]+) stages \(([\d,]+) if nothing were shared\)")
SELECTION = re.compile(r"`sparsweep plan sweep\.yaml ([^`]+)`: " + COUNTS.pattern)
EDIT = re.compile(r"^\| `(--set [^`]+)` \| [^|]+ \| (\d+) \| (\d+) \|$", re.MULTILINE)
COMPONENT = re.compile(r"`workloads/pruning/(\w+)\.py`:\s+```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: What stands in the page for the folder that a command is run in.
HOME = "/home/you"


@dataclass(frozen=True)
class Block:
    """A fenced block with the sweep that stands at its place, and the prose up to the next block."""

    place: str
    language: str
    code: str
    after: str
    sweep: str
    then: str
    """The language of the block behind it."""


def blocks(page):
    """The blocks of a page; a fragment of a sweep is merged into the first whole one."""
    found = []
    first = ""
    for section in re.split(r"^## ", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE):
        title = section.partition("\n")[0]
        matches = BLOCK.findall(section)
        sweep = first
        for number, (language, code, after) in enumerate(matches):
            if language == "yaml":
                whole = code.startswith("name:")
                sweep = code if whole else merged(first, code)
                first = first or sweep
            then = matches[number + 1][0] if number + 1 < len(matches) else ""
            found.append(Block(f"{page}: {title} {number}", language, code, after, sweep, then))
    return found


def merged(whole, fragment):
    """A whole sweep with a fragment: mappings key by key, anything else replaces."""
    data = read_text(whole, "whole")
    for section, value in read_text(fragment, "fragment").items():
        merging = isinstance(value, dict) and isinstance(data.get(section), dict)
        data[section] = {**data[section], **value} if merging else value
    return yaml.safe_dump(data, sort_keys=False)


TEXT = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
PAGE = blocks("docs/sweeps.md")
BLOCKS = [*PAGE, *blocks("README.md")]
SWEEP = next(block.sweep for block in PAGE if block.language == "yaml")


def named(found):
    return {"argvalues": found, "ids": [block.place for block in found]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, where the component of the page stands beside the real ones."""
    monkeypatch.chdir(tmp_path)
    name, code = COMPONENT.search(TEXT).groups()
    folder = tmp_path / "pruning"
    folder.mkdir()
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    workloads.pruning.__path__.append(str(folder))
    for cached in (build.names, build.find):
        cached.cache_clear()
    yield tmp_path
    workloads.pruning.__path__.remove(str(folder))
    sys.modules.pop(f"workloads.pruning.{name}", None)
    vars(workloads.pruning).pop(name, None)
    for cached in (build.names, build.find):
        cached.cache_clear()


def plan_of(folder, sweep, arguments=""):
    """The plan of a sweep with the ``--set`` and ``--where`` of a command line."""
    file = folder / "sweep.yaml"
    file.write_text(sweep, encoding="utf-8")
    given = shlex.split(arguments)
    options = list(zip(given[::2], given[1::2], strict=True))
    assert {name for name, _ in options} <= {"--set", "--where"}
    settings, where = ([value for name, value in options if name == kind] for kind in ("--set", "--where"))
    return load(file, set_=settings).plan(where)


def counts(plan):
    """The numbers of a plan as the page says them."""
    return tuple(f"{number:,}" for number in (len(plan.trials), len(plan), plan.chains()))


@pytest.mark.parametrize(
    "block", **named([b for b in BLOCKS if b.language == "yaml" and b.then != "console"])
)
def test_an_example_plans_without_a_warning_and_to_the_counts_beside_it(block, here):
    plan = plan_of(here, block.sweep)
    assert not plan.warnings
    said = COUNTS.search(" ".join(block.after.split()))
    assert said is None or said.groups() == counts(plan)


@pytest.mark.parametrize("block", **named([b for b in BLOCKS if b.language == "console"]))
def test_a_command_prints_what_the_page_says(block, here, capsys):
    (here / "sweep.yaml").write_text(block.sweep, encoding="utf-8")
    told = []
    for line in block.code.splitlines():
        if line.startswith("$ "):
            main(shlex.split(line[2:])[1:])
            said = capsys.readouterr()
            told += [line, *f"{said.out}{said.err}".replace(str(here), HOME).splitlines()]
    assert "\n".join(told) == block.code.rstrip("\n")


@pytest.mark.parametrize(("arguments", *"abc"), SELECTION.findall(" ".join(TEXT.split())))
def test_a_selection_plans_to_the_counts_beside_it(arguments, a, b, c, tmp_path):
    assert counts(plan_of(tmp_path, SWEEP, arguments)) == (a, b, c)


@pytest.mark.parametrize(("edit", "new", "gone"), EDIT.findall(TEXT))
def test_an_edit_readdresses_as_many_stages_as_the_page_says(edit, new, gone, tmp_path):
    before = set(plan_of(tmp_path, SWEEP).addresses)
    after = set(plan_of(tmp_path, SWEEP, edit).addresses)
    assert (len(after - before), len(before - after)) == (int(new), int(gone))


def test_every_example_count_and_edit_of_the_page_is_looked_at_here():
    assert sum(block.language == "yaml" for block in PAGE) == TEXT.count("```yaml") >= 9
    assert " ".join(TEXT.split()).count(" trials need ") == len(COUNTS.findall(" ".join(TEXT.split())))
    assert len(EDIT.findall(TEXT)) == TEXT.count("| `--set")
    assert len(SELECTION.findall(" ".join(TEXT.split()))) == TEXT.count("`sparsweep plan sweep.yaml -")
    assert any(block.language == "yaml" for block in blocks("README.md"))


def test_the_component_of_the_page_can_be_named_in_a_sweep_and_passes_its_test(here):
    (named,) = re.findall(r"`criterion: (\{[^`]+\})`", TEXT)
    plan = plan_of(here, SWEEP.replace("criterion: magnitude", f"criterion: {named}"))
    assert len(plan) == len(plan_of(here, SWEEP))
    kind = build.find(Criterion, COMPONENT.search(TEXT)[1])
    known = {"torch": torch, "Mlp": Mlp, kind.__name__: kind}
    exec([block.code for block in PAGE if block.language == "python"][-1], known)
    (test,) = (value for name, value in known.items() if name.startswith("test_"))
    test(Digits().learning())


@pytest.mark.slow
def test_the_tables_of_stages_and_names_are_those_of_the_classes():
    text = tables.PAGE.read_text(encoding="utf-8")
    assert "| `pruning` |" in text
    assert text == tables.page(text), "docs/sweeps.md is out of date: run `python -m docs.tables`"


README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = """\
name: small
axes: {seed: [0]}
methods: {m: {model: {stage: initialise, architecture: mlp, dataset: digits, seed: $seed}}}
evaluate: {clean: {stage: classify, reads: {model: model}}}
"""


@pytest.mark.s3
def test_the_commands_for_a_bucket_on_this_machine_work_as_they_stand(tmp_path):
    (typed,) = re.findall(r"^mkdir -p buckets.*?(?=^```)", README, re.DOTALL | re.MULTILINE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert ":9000" in typed
    # all but the port, and in this process instead of Ray's
    typed = typed.replace(":9000", f":{port}").replace("quickstart.yaml", "quickstart.yaml --engine inline")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(sysconfig.get_path("scripts"))
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/quickstart.yaml").write_text(SMALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ran = subprocess.run(
        ["bash", "-ec", f"trap 'kill $(jobs -p)' EXIT\n{typed}"],
        cwd=tmp_path,
        env=environment | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr
    assert "2 outputs and 0 checkpoints checked" in ran.stderr
    assert len(list((tmp_path / "buckets/sweeps/first/outputs").iterdir())) == 2
