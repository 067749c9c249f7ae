"""From what a command raises to what its caller sees: a message without a traceback, and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import typer

from orchestrator.errors import InputError, Interrupted, OrchestratorError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
#: What a shell reports for a program that wrote into a pipe nobody reads.
BROKEN_PIPE = 141

Command = TypeVar("Command", bound=Callable[..., Any])


def guarded(command: Command) -> Command:
    """``command``, leaving with the exit code it returns, or with that of what it raises.

    Exceptions that nobody raises on purpose go through: they are bugs, and their traceback is wanted.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except InputError as error:
            code = say(str(error), WRONG_INPUT)
        except (KeyboardInterrupt, Interrupted):
            code = say("interrupted", INTERRUPTED)
        except OrchestratorError as error:
            code = say(str(error), FAILED)
        except BrokenPipeError:
            # nothing may be written any more, not even when the interpreter flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = BROKEN_PIPE
        raise typer.Exit(code or DONE)

    return cast(Command, run)


def say(text: str, code: int = DONE) -> int:
    """Tell people something, on stderr; ``code`` comes back."""
    print(text, file=sys.stderr, flush=True)
    return code
