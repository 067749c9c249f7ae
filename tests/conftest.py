"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# As in a worker of the pool: tests run side by side, and threads that spin for each other slow all down.
# Where threads are the point of a test, it asks for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A search that may find something new is run by hand: `pytest --hypothesis-profile=wide`.
settings.register_profile("same", derandomize=True, max_examples=200, deadline=None)
settings.register_profile("wide", max_examples=5000, deadline=None)
settings.load_profile("same")
