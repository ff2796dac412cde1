"""Commands for search spaces: list, show, check, sample, diff and schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from automl.cli.options import AllowImport, AllowIncludes
from automl.cli.output import emit, print_rows, result, say, with_forms

if TYPE_CHECKING:
    from automl.space import Change, Space

__all__ = ["app"]

app = typer.Typer(
    help="List, show, check and compare search spaces.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_DRAWS = 1000

Source = Annotated[str, typer.Argument(help="A space that ships, or a YAML file.", show_default=False)]


@app.command("list")
@with_forms
def list_spaces() -> None:
    """List the shipped spaces; each is a file to copy and change.

    [bold]Next[/]

      automl spaces show tabular     show one of them
      automl search table.csv --target y --space quick
    """
    from automl.space import shipped_folder, shipped_names

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("name", "about"):
        table.add_column(column)
    rows = [{"space": name, "about": _load(name).about} for name in shipped_names()]
    for row in rows:
        table.add_row(*row.values())
    print_rows(table, rows, "space")
    say(f"The files are in {shipped_folder()}")


@app.command()
@with_forms
def show(space: Source, allow_import: AllowImport = None, allow_includes: AllowIncludes = None) -> None:
    """Show a space as a tree, with its definitions and included files in place.

    [bold]Examples[/]

      automl spaces show tabular
      automl spaces show my_space.yaml
    """
    found = _load(space, allow_import, allow_includes)
    emit({"space": found.name, "yaml": found.to_yaml()})
    print_rows(found.describe(), [], "space")
    for title, items in (("forbidden", found.forbid), ("tried first", found.enqueue)):
        if items:
            say(title, style="bold")
        for item in items:
            say(f"  {item}")
    say(_size(found))


@app.command()
@with_forms
def check(space: Source, allow_import: AllowImport = None, allow_includes: AllowIncludes = None) -> None:
    """Check a space as a search would, before anything trains.

    All faults are printed at once, with line, path, rule, value and the nearest valid word. The exit code is 0 for a
    valid space and 2 for an invalid one. For a file with `include`, its changes to the included files are printed.

    [bold]Example[/]

      automl spaces check my_space.yaml
    """
    from automl.errors import SpaceError
    from automl.families import load_space
    from automl.space import read_included

    found = _load(space, allow_import, allow_includes)
    text = f"{found.name} is valid, for {', '.join(found.tasks)}.\n{_size(found)}\ndigest {found.digest()}"
    fields = {"space": found.name, "tasks": found.tasks, "digest": found.digest()}
    result(text, found.name, **fields, dimensions=found.size().dimensions)
    with suppress(SpaceError):  # the included files alone need not form a space
        if (included := read_included(space, allow_includes=allow_includes or ())) is not None:
            changes = load_space(included, allow_imports=allow_import or ()).diff(found)
            say("\nchanges to the included files:")
            _print_changes(changes)


@app.command()
@with_forms
def sample(
    space: Source,
    n: Annotated[int, typer.Option("-n", help="How many.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="The seed of the draws.", min=0)] = 0,
    allow_import: AllowImport = None,
    allow_includes: AllowIncludes = None,
) -> None:
    """Draw configurations from a space, as YAML.

    [bold]Example[/]

      automl spaces sample my_space.yaml -n 5
    """
    import numpy as np
    import yaml

    found, rng = _load(space, allow_import, allow_includes), np.random.default_rng(seed)
    documents = (found.sample(rng) for _ in range(n))
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100), nl=False)


@app.command()
@with_forms
def diff(
    old: Annotated[
        str, typer.Argument(metavar="A", help="A space that ships, or a YAML file.", show_default=False)
    ],
    new: Annotated[str, typer.Argument(metavar="B", help="Another.", show_default=False)],
    allow_import: AllowImport = None,
    allow_includes: AllowIncludes = None,
) -> None:
    """Print the differences from A to B, and whether the trials of A are points of B.

    [bold]Example[/]

      automl spaces diff tabular my_space.yaml
    """
    import numpy as np

    first, second = _load(old, allow_import, allow_includes), _load(new, allow_import, allow_includes)
    changes = first.diff(second)
    _print_changes(changes)
    if not changes:
        return
    if all(change.keeps for change in changes):
        say(f"every trial of {first.name} is a point of {second.name}")
    else:
        rng = np.random.default_rng(0)
        kept = sum(second.accepts(first.sample(rng)) for _ in range(_DRAWS))
        say(f"of {_DRAWS:,} draws from {first.name}, {kept:,} are points of {second.name}")


@app.command()
@with_forms
def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file.", show_default="the terminal"),
    ] = None,
) -> None:
    """Print the JSON Schema of the space language, for completion and checks in editors.

    [bold]Example[/], for editors with the YAML language server:

      automl spaces schema -o space.schema.json

    and in the first line of a space:

      # yaml-language-server: $schema=space.schema.json
    """
    from automl.families import vocabulary
    from automl.metrics import COSTS
    from automl.space import json_schema

    text = json.dumps(json_schema(vocabulary(), COSTS), indent=1)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        result(f"schema written to {output}", output, file=output)


def _print_changes(changes: Sequence[Change]) -> None:
    styles = {"came": "green", "widened": "green", "went": "red", "narrowed": "red"}
    for change in changes:
        emit({"change": change.kind, "text": str(change)})
        say(str(change), style=styles.get(change.kind))
    if not changes:
        say("no change")


def _load(
    space: str, allow_import: list[str] | None = None, allow_includes: list[str] | None = None
) -> Space:
    from automl.families import load_space

    return load_space(space, allow_imports=allow_import or (), allow_includes=allow_includes or ())


def _size(space: Space) -> str:
    size = space.size()
    points = "infinitely many" if size.points is None else f"{size.points:,}"
    families = ", ".join(f"{name} {count}" for name, count in size.dimensions.items())
    return f"{points} configurations; dimensions: {families}"
