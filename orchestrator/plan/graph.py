"""The unique stages as they are found: a stage's id is its position, and an address has one."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.identity import digest, to_json
from orchestrator.plan.fields import Codes, Element

#: How the flat inputs of a stage are grouped: role, whether it is a list, and the part of each input.
Layout = tuple[tuple[str, bool, tuple[str | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a unique stage was met first."""

    element: Element
    codes: Codes


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a search tries: a stage that is no part of the plan, with its inputs."""

    origin: Origin
    inputs: tuple[int, ...]
    layout: Layout
    address: str


class Graph:
    """Columns rather than objects: there may be a million stages."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.addresses: list[str] = []
        self.origins: list[Origin] = []
        self.inputs: list[tuple[int, ...]] = []
        self.layouts: list[Layout] = []
        self.attempts: dict[int, tuple[Attempt, ...]] = {}
        """What the searches try, by their ids."""

    def add(
        self,
        origin: Origin,
        fields: str,
        flat: tuple[int, ...],
        layout: Layout,
        attempts: tuple[Attempt, ...],
    ) -> int:
        """The id of a stage, new or met before."""
        address = digest(self.text_of(fields, origin.element, flat, layout, attempts))
        known = self.ids.get(address)
        if known is not None:
            return known
        stage = self.ids[address] = len(self.addresses)
        self.addresses.append(address)
        self.origins.append(origin)
        if attempts:
            self.attempts[stage] = attempts
            flat = tuple(dict.fromkeys(parent for attempt in attempts for parent in attempt.inputs))
        self.inputs.append(flat)
        self.layouts.append(layout)
        return stage

    def text_of(
        self,
        fields: str,
        element: Element,
        flat: tuple[int, ...],
        layout: Layout,
        attempts: tuple[Attempt, ...],
    ) -> str:
        """The canonical text of a stage: fields, inputs, stage, version."""
        if attempts:
            inputs = to_json({"try": [attempt.address for attempt in attempts]})
            return f'{{"fields":{{{fields}}},"inputs":{inputs},{element.tail}'
        addresses = self.addresses
        if len(layout) == 1 and not layout[0][1] and layout[0][2] == (None,):
            inputs = f'"{layout[0][0]}":"{addresses[flat[0]]}"'
        else:
            given = iter(flat)
            inputs = to_json(
                {
                    role: named if many else named[0]
                    for role, many, parts in layout
                    for named in [[_input(addresses[next(given)], part) for part in parts]]
                }
            )[1:-1]
        return f'{{"fields":{{{fields}}},"inputs":{{{inputs}}},{element.tail}'


def _input(address: str, part: str | None) -> str:
    return f"{address}/{part}" if part else address
