"""Fields of components that were added after results existed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: As ``LATER`` of `orchestrator.stage`, which stages alone know: at its default such a field is left out of
#: the address, so that results stay valid.
LATER: Mapping[str, Any] = {"omit_default_from_address": True}
