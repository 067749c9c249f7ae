"""The commands below ``sparsweep store`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.guard import guarded

store_app = typer.Typer(
    help="What lies in a store: list it, verify it, remove what nobody needs, copy it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE]...", help="Sweep files.", show_default=False)
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URI", help="A folder or s3://bucket/prefix; else the files', else results."
    ),
]


@store_app.command("ls")
@guarded
def list_(
    files: Files = None,
    *,
    store: StoreOption = None,
    json: Annotated[bool, typer.Option("--json", help="Data instead of text.")] = False,
) -> int:
    """List outputs, payloads and checkpoints by stage and by sweep, and the runs."""
    from orchestrator.cli.store.given import Given
    from orchestrator.cli.store.ls import list_store

    return list_store(Given(files or [], store), json)


@store_app.command()
@guarded
def verify(
    files: Files = None,
    *,
    store: StoreOption = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Take damaged outputs out, so that a run makes them again.")
    ] = False,
) -> int:
    """Read everything, or what the sweep files refer to, and compare every size and sha256."""
    from orchestrator.cli.store.given import Given
    from orchestrator.cli.store.verify import verify_store

    return verify_store(Given(files or [], store), quarantine)


@store_app.command()
@guarded
def gc(
    files: Files = None,
    *,
    store: StoreOption = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Without sweep files: only what belongs to no output.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Also outputs whose inputs were rebuilt differently since.")
    ] = False,
    payload: Annotated[
        bool, typer.Option("--payload", help="Keep manifests, and so the numbers; remove files only.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else it is only shown.")] = False,
) -> int:
    """Show or remove what none of ALL sweep files of a store refers to, and what broken runs left.

    What is younger than an hour stays. Results of a run with --set or of a file since edited are referred to
    by none: look at what is shown before you add --yes.
    """
    from orchestrator.cli.store.gc import Choice, collect_garbage
    from orchestrator.cli.store.given import Given

    return collect_garbage(Given(files or [], store), Choice(orphans, stale, payload, yes))


@store_app.command()
@guarded
def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="DST", show_default=False)],
    *,
    sweep: Annotated[
        list[Path] | None,
        typer.Option("--sweep", metavar="FILE", help="Only what this file refers to. May be repeated."),
    ] = None,
) -> int:
    """Copy what DST lacks: outputs, checkpoints of what is not done, journals. The same command continues."""
    from orchestrator.cli.store.copy import copy_store

    return copy_store(source, target, sweep or [])
