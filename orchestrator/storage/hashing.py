"""The sha256 of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Up to here a file is hashed in one read.
SMALL_BYTES = 1 << 20


def sha256_of(path: str, size: int) -> str:
    """The sha256 of a file of about ``size`` bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        if size <= SMALL_BYTES:
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()
