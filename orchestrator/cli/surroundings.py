"""What a command that runs stages gives them beside their fields: where data sets are, and who hears them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from orchestrator.cli.guard import say
from orchestrator.errors import InputError
from orchestrator.stage import DATA


def use(data: Path | None) -> None:
    """Let the stages of this process and of its workers find data sets below ``data``; None: as it is.

    Raises:
        InputError: it is no folder.
    """
    if data is not None:
        place = data.expanduser().absolute()
        if not place.is_dir():
            raise InputError(f"--data {data}: must be a folder that is there")
        os.environ[DATA] = str(place)
    log = logging.getLogger("sparsweep")
    if not log.handlers:
        log.addHandler(Told())
        log.setLevel(logging.INFO)


class Told(logging.Handler):
    """Says on stderr what stages of this process log, as what a command says itself."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
