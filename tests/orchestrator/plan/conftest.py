from __future__ import annotations

import pytest
from universe.telling import Sweeps


@pytest.fixture
def sweeps(tmp_path):
    return Sweeps(tmp_path)
