"""Which of a node's stages a reference picks by the values of its `each` keys."""

from __future__ import annotations

from typing import Any

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.plan.chooser import Chosen
from orchestrator.plan.dependencies import ALL
from orchestrator.plan.fields import Codes
from orchestrator.plan.moves import Move
from orchestrator.spec.values import as_list, matches, order_of, shown


def picks(chosen: Chosen, move: Move, many: bool, codes: Codes) -> tuple[int, ...]:
    """Which elements a reference means, checked: exactly one unless the role takes a list."""
    reference, elements = move.reference, chosen.elements
    here = move.scope.point(codes)
    point = {key: move.element.fill(value, here) for key, value in move.picks.items()}
    kind = elements[0].kind
    if reference.part is not None and reference.part not in kind.parts:
        where = reference.where
        raise SpecError(
            [Problem(where, unknown(f"part of {chosen.alternative.stage}", reference.part, kind.parts))]
        )
    found = [i for i, e in enumerate(elements) if all(_fits(e.choice.get(k), v) for k, v in point.items())]
    found.sort(key=lambda i: [order_of(value) for _, value in sorted(elements[i].choice.items())])
    if not found:
        said = [_said(e.choice) for e in elements]
        raise SpecError(
            [Problem(reference.where, f"picks nothing: {_said(point)} is none of {'; '.join(said)}")]
        )
    if len(found) > 1 and not many:
        keys = ", ".join(sorted(chosen.alternative.each))
        raise SpecError(
            [
                Problem(
                    reference.where,
                    f"{reference.node} has {len(found)} stages here; pick one: "
                    f"{reference.node}@{{{keys}: ...}}",
                )
            ]
        )
    return tuple(found)


def _fits(value: Any, wanted: Any) -> bool:
    return wanted == ALL or any(matches(value, item) for item in as_list(wanted))


def _said(choice: Any) -> str:
    return ", ".join(f"{key}={shown(value)}" for key, value in choice.items())
