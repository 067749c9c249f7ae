"""Nothing that comes from a store can run code: no pickle, no YAML tags, weights as weights only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
#: The end of the name of a call -> the keyword that must be this constant; None: never.
CALLS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "read_pickle": None,
    "yaml.load": None,
    "full_load": None,
    "unsafe_load": None,
    "eval": None,
    "exec": None,
}
#: CIFAR's official files are pickles: its reader makes arrays, and its tests show that it runs nothing.
ALLOWED = {"workloads/datasets/_cifar.py": ["pickle"]}
#: `nn.Module.eval()`, and not the function.
METHODS = {"eval", "exec"}


def dangers(source: str) -> Iterator[str]:
    """What in ``source`` could run what it reads, by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names if item.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in MODULES:
                yield node.module or ""
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            for ending, needed in CALLS.items():
                is_it = name == ending or (name.endswith(f".{ending}") and ending not in METHODS)
                if is_it and not (needed and has(node, *needed)):
                    yield name


def has(call: ast.Call, keyword: str, value: bool) -> bool:
    return any(
        item.arg == keyword and isinstance(item.value, ast.Constant) and item.value.value is value
        for item in call.keywords
    )


@pytest.mark.parametrize("package", ["orchestrator", "workloads"])
def test_nothing_is_unpickled_or_evaluated(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert len(files) > 50
    found = {str(path.relative_to(ROOT)): list(dangers(path.read_text(encoding="utf-8"))) for path in files}
    allowed = {name: calls for name, calls in ALLOWED.items() if name.startswith(f"{package}/")}
    assert {name: calls for name, calls in found.items() if calls} == allowed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory as memory",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path, allow_pickle=True)",
        "pandas.read_pickle(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
    ],
)
def test_what_could_run_what_it_reads_is_noticed(source):
    assert list(dangers(source))


@pytest.mark.parametrize(
    "source", ["torch.load(path, weights_only=True)", "model.eval()", "json.loads(text)"]
)
def test_what_only_reads_is_fine(source):
    assert list(dangers(source)) == []
