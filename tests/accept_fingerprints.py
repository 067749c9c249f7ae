"""Accept the code of `workloads` as it is: ``python -m tests.accept_fingerprints``.

Only where results cannot change; where they can, raise the ``version`` of what computes them first.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = Path(__file__).parent / "workloads" / "fingerprints.json"


def fingerprints() -> dict[str, str]:
    """File -> fingerprint, for every file whose code a result of a stage can depend on."""
    files = (path for path in ROOT.glob("workloads/**/*.py") if path.name != "__init__.py")
    return {
        path.relative_to(ROOT).as_posix(): fingerprint(path.read_text(encoding="utf-8"))
        for path in sorted(files)
    }


def fingerprint(source: str) -> str:
    """A hash of what ``source`` does: blind to comments, layout and docstrings, equal on every Python."""
    return hashlib.sha256(_meaning(ast.parse(source)).encode()).hexdigest()[:16]


def _meaning(node: object) -> str:
    """The syntax tree as text, without what newer versions of Python add to it empty."""
    if isinstance(node, list):
        return "[" + ",".join(_meaning(item) for item in node if not _is_docstring(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = (f"{name}={_meaning(value)}" for name, value in ast.iter_fields(node) if value not in (None, []))
    return f"{type(node).__name__}({','.join(parts)})"


def _is_docstring(node: object) -> bool:
    """Whether ``node`` is a text that stands alone: after a field, or at the top of something."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


if __name__ == "__main__":
    PINNED.write_text(json.dumps(fingerprints(), indent=1) + "\n", encoding="utf-8")
