"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A search that may find something new is run by hand: `pytest --hypothesis-profile=wide`.
settings.register_profile("same", derandomize=True, max_examples=200, deadline=None)
settings.register_profile("wide", max_examples=5000, deadline=None)
settings.load_profile("same")
