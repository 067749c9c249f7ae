"""JSON that somebody else may have written."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(text: bytes | str) -> Any:
    """What ``text`` holds.

    Raises:
        ValueError: it is no JSON, has numbers that are none, or is nested so deeply that nobody can read it.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"it holds {number}, which is no number")
