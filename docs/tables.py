"""The tables of stages and of names in docs/sweeps.md: ``python -m docs.tables`` makes them anew.

Fields and roles are read from the classes. Metrics are those of a run: no class lists them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import torch

import orchestrator
from orchestrator.build import data_of, field_types, find, is_component, names, package_of
from orchestrator.identity import default_of
from orchestrator.spec import STAGES
from orchestrator.stage import Role, Stage
from orchestrator.storage import open_store
from workloads.architectures.lenet import Lenet

PAGE = Path(__file__).parent / "sweeps.md"
WORKLOADS = Path(__file__).parents[1] / "workloads"
BEGIN, END = "<!-- {}: made by python -m docs.tables -->\n", "<!-- end of {} -->\n"
ROLES = {
    Role.ONE: "`{}`",
    Role.OPTIONAL: "`{}` or nothing",
    Role.LIST: "`{}` (list)",
    Role.OPTIONAL_LIST: "`{}` (list) or nothing",
}
#: Every stage there is, as small as it can be.
EVERY_STAGE = """
name: every-stage
axes: {seed: [0]}
methods:
  all:
    start:  {stage: initialise, architecture: {name: mlp, hidden: [4]}, dataset: digits, seed: $seed}
    base:   {stage: train, reads: {model: start}, seed: $seed, epochs: 1, best: fgsm}
    model:  {stage: prune, reads: {model: base}, criterion: magnitude, sparsity: 0.5}
evaluate:
  given:    {stage: pretrained, architecture: lenet, dataset: digits, file: w.pt, sha256: SHA256}
  narrow:   {stage: prune_channels, reads: {model: model}, criterion: norm, sparsity: 0.5}
  clean:    {stage: classify, reads: {model: model}}
  robust:   {stage: attack, reads: {model: model}, attack: {name: fgsm, epsilon: 8/255}}
  certain:  {stage: certify, reads: {model: model}, n0: 2, n: 20, samples: 4}
  spoiled: {stage: corruptions, reads: {model: model}, corruptions: [gaussian_noise, fog], severities: [1, 5]}
  layers:   {stage: sensitivity, reads: {model: base}, measure: prune_probe, samples: 20}
  between:  {stage: interpolate, reads: {start: base, end: base}, steps: 1, samples: 4}
  features: {stage: features, reads: {model: model}}
  held:     {stage: features, reads: {model: model}, split: validation}
  trust:    {stage: calibrate, reads: {inside: features, validation: held}}
  others:   {stage: features, reads: {model: model}, dataset: noise}
  ood:      {stage: detect, reads: {train: features, inside: features, outside: others}, detector: msp}
  asked:    {stage: probe, reads: {model: model}, detector: odin, dataset: noise, samples: 20}
"""


def stages_table() -> str:
    """The table of all stages in Markdown: what each reads, its fields and its metrics."""
    metrics = metrics_of_stages()
    lines = ["| stage | reads | fields | metrics |", "| --- | --- | --- | --- |"]
    for name in names(STAGES):
        kind = find(STAGES, name)
        reads = ", ".join(ROLES[role].format(said) for said, role in kind.roles.items()) or "nothing"
        found = ", ".join(f"`{metric}`" for metric in metrics[name])
        lines.append(f"| `{name}` | {reads} | {', '.join(fields(kind))} | {found} |")
    return "\n".join(lines) + "\n"


def fields(kind: type[Stage]) -> Iterator[str]:
    """The fields of a stage as YAML with their defaults; one without a default is bold."""
    types = field_types(kind)
    for field in dataclasses.fields(kind):
        default = default_of(field)
        needed = default is dataclasses.MISSING
        text = f"**`{field.name}`**" if needed else f"`{field.name}: {default_text(default)}`"
        folders = [
            package_of(base)
            for base in (types[field.name], *get_args(types[field.name]))
            if is_component(base)
        ]
        yield f"{text} ({folders[0].rpartition('.')[2]})" if folders else text


def default_text(default: Any) -> str:
    """A default as it would stand in a sweep file; a component by its name."""
    found = data_of(default)
    name = found["name"] if isinstance(found, Mapping) and "name" in found else found
    return name if isinstance(name, str) else json.dumps(name)


def metrics_of_stages() -> dict[str, list[str]]:
    """Stage -> the names of its metrics, from a run of each.

    Raises:
        LookupError: a stage is not run here.
    """
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        weights, file = Path(folder) / "w.pt", Path(folder) / "every_stage.yaml"
        torch.save(Lenet().network((1, 8, 8), 10, seed=0).state_dict(), weights)
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        file.write_text(EVERY_STAGE.replace("SHA256", sha256), encoding="utf-8")
        plan, store = orchestrator.load(file).plan(), open_store(Path(folder) / "results")
        with patch.dict(os.environ, SPARSWEEP_DATA=folder):
            orchestrator.run(plan, store, engine="inline")
        for manifest in store.manifests(plan.addresses).values():
            found[manifest.stage] = list(manifest.metrics)
    for name in names(STAGES):
        if name not in found:
            raise LookupError(f"docs/tables.py: EVERY_STAGE must run the stage {name!r}, to know its metrics")
    return found


def names_table() -> str:
    """The table of all components in Markdown: the folder, and each name with the fields it may be given."""
    lines = ["| folder | names |", "| --- | --- |"]
    for base in sorted(WORKLOADS.glob("*/base.py")):
        package = f"workloads.{base.parent.name}"
        if package != STAGES:
            found = (component(name, find(package, name)) for name in names(package))
            lines.append(f"| `{base.parent.name}` | {' · '.join(found)} |")
    return "\n".join(lines) + "\n"


def component(name: str, kind: type[Any]) -> str:
    """A name with its fields, as ``knn (k)``."""
    own = ", ".join(field.name for field in dataclasses.fields(kind))
    return f"`{name}` ({own})" if own else f"`{name}`"


def with_table(text: str, name: str, table: str) -> str:
    """The page ``text`` with ``table`` between the marks of ``name``."""
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{table}{end}{after}"


def page(text: str) -> str:
    """The page ``text`` with its tables anew."""
    return with_table(with_table(text, "stages", stages_table()), "names", names_table())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
