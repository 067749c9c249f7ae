"""Ctrl-C and SIGTERM while a plan is drained: the first asks to stop, the second leaves at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(asked: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal calls ``asked`` and the second raises `KeyboardInterrupt`.

    Must be entered after Ray started, which installs a handler of its own. In another thread than the main
    one nothing happens: a program that drains there handles signals itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    def first(number: int, frame: FrameType | None) -> None:
        for kind in STOPPING:
            signal.signal(kind, leave)
        asked()

    before = {kind: signal.signal(kind, first) for kind in STOPPING}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, signal.SIG_DFL if handler is None else handler)
