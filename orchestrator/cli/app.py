"""The commands and their options. What a command needs is imported when it runs: help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.guard import guarded
from orchestrator.cli.store.app import store_app

app = typer.Typer(
    help="Large sweeps of sparse and robust neural networks: one YAML file in, tables of results out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(store_app, name="store")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The sweep file.", show_default=False)]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URI", help="A folder or s3://bucket/prefix; else the file's, else results."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the file: axes.seed=[0,1]. May be repeated."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="AXIS=VALUE", help="Only these trials: method=rigl. Repeated: all must hold."
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Where data sets are; also SPARSWEEP_DATA.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree to more than a million points.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Data instead of text.")]


@app.command()
@guarded
def plan(
    file: File,
    *,
    store: StoreOption = None,
    where: WhereOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> int:
    """Show what a run would do: trials, stages, what they share, what is done. Writes nothing."""
    from orchestrator.cli.asked import Asked
    from orchestrator.cli.plan import show_plan

    return show_plan(Asked(file, store, where or [], set_ or [], yes), json)


@app.command()
@guarded
def run(
    file: File,
    *,
    store: StoreOption = None,
    engine: Annotated[str, typer.Option(metavar="ray|inline", help="Where stages run.")] = "ray",
    address: Annotated[
        str | None, typer.Option(metavar="RAY", help="A Ray cluster to join; also RAY_ADDRESS.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="At most so many at once.")] = None,
    where: WhereOption = None,
    set_: SetOption = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    skip_failed: Annotated[bool, typer.Option("--skip-failed", help="Leave out what failed before.")] = False,
    checkpoint_every: Annotated[
        float, typer.Option(metavar="SECONDS", help="How often a long stage saves its state.")
    ] = 30.0,
    data: DataOption = None,
    yes: YesOption = False,
) -> int:
    """Run what is missing and print the tables. The same command continues after anything."""
    from orchestrator.cli.asked import Asked
    from orchestrator.cli.run import Options, run_sweep
    from orchestrator.cli.surroundings import use

    use(data)
    options = Options(engine, address, workers, checkpoint_every, skip_failed, plain)
    return run_sweep(Asked(file, store, where or [], set_ or [], yes), options)


@app.command()
@guarded
def status(
    file: File,
    *,
    store: StoreOption = None,
    where: WhereOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> int:
    """Show how far a sweep is, from its store: also while it runs elsewhere, or after it died."""
    from orchestrator.cli.asked import Asked
    from orchestrator.cli.status import show_status

    return show_status(Asked(file, store, where or [], set_ or [], yes), json)


@app.command()
@guarded
def debug(
    file: File,
    *,
    where: WhereOption = None,
    store: StoreOption = None,
    set_: SetOption = None,
    data: DataOption = None,
    yes: YesOption = False,
) -> int:
    """Run one trial in this process, stage after stage; breakpoints work and exceptions come through."""
    from orchestrator.cli.asked import Asked
    from orchestrator.cli.debug import debug_trial
    from orchestrator.cli.surroundings import use

    use(data)
    return debug_trial(Asked(file, store, where or [], set_ or [], yes))


@app.command()
@guarded
def report(
    file: File,
    *,
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help="md, csv or json.")] = "md",
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write files there instead of stdout.")
    ] = None,
    store: StoreOption = None,
    where: WhereOption = None,
    set_: SetOption = None,
    yes: YesOption = False,
) -> int:
    """Print the tables of a sweep as far as there are results, or write them in a format."""
    from orchestrator.cli.asked import Asked
    from orchestrator.cli.report import write_report

    return write_report(Asked(file, store, where or [], set_ or [], yes), format_, output)


@app.command()
@guarded
def show(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Or how it begins.", show_default=False)],
    *,
    store: StoreOption = None,
    json: JsonOption = False,
) -> int:
    """Show one output: what it is, what it was made from, its numbers, and its last failure."""
    from orchestrator.cli.show import show_output

    return show_output(address, store, json)
