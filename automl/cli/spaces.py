"""The command line of search spaces: what ships, what one holds, what is wrong with it, how two differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["AllowImport", "app"]

app = typer.Typer(
    help="Look into search spaces: what ships, what one holds, what is wrong with it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
console = Console()

_DRAWS = 1000

AllowImport = Annotated[
    list[str] | None,
    typer.Option(
        help="A package that `estimator:` in the space may name classes of, besides scikit-learn, automl, lightgbm, "
        "xgboost and catboost; may be given several times.",
        metavar="PACKAGE",
        show_default="none",
    ),
]
Source = Annotated[str, typer.Argument(help="A space that ships, or a YAML file.", show_default=False)]


@app.command("list")
def list_spaces() -> None:
    """List the spaces that ship; each is a file to learn from and to copy.

    [bold]Next[/]

      automl spaces show tabular     what one of them holds
      automl search table.csv --target y --space quick
    """
    from automl.space import shipped_folder, shipped_names

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("name", "about"):
        table.add_column(column)
    for name in shipped_names():
        table.add_row(name, _load(name).about)
    console.print(table)
    console.print(f"They stand in {shipped_folder()}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def show(space: Source, allow_import: AllowImport = None) -> None:
    """Show what a space holds, as a tree; parts and included files stand where they are used.

    [bold]Examples[/]

      automl spaces show tabular
      automl spaces show my_space.yaml
    """
    found = _load(space, allow_import)
    console.print(found.describe())
    for title, items in (("must not meet", found.forbid), ("tried first", found.enqueue)):
        if items:
            console.print(title, style="bold")
        for item in items:
            console.print(f"  {item}", markup=False, highlight=False, soft_wrap=True)
    console.print(_size(found), markup=False, highlight=False, soft_wrap=True)


@app.command()
def check(space: Source, allow_import: AllowImport = None) -> None:
    """Check a space as a search would, before anything trains.

    Every fault is told at once: its line, the path of the key, the rule, what came, and the nearest word that would
    do. Classes named by `estimator:` are tried by tiny fits, to find values that do not train together. The exit code
    is 0 for a sound space and 2 for any other.

    [bold]Example[/]

      automl spaces check my_space.yaml
    """
    found = _load(space, allow_import)
    console.print(f"{found.name} is sound, for {', '.join(found.tasks)}.", markup=False, highlight=False)
    console.print(_size(found), markup=False, highlight=False, soft_wrap=True)
    console.print(f"digest {found.digest()}", highlight=False)


@app.command()
def sample(
    space: Source,
    n: Annotated[int, typer.Option("-n", help="How many.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="The seed of the draws.", min=0)] = 0,
    allow_import: AllowImport = None,
) -> None:
    """Draw configurations from a space, as YAML: what a search would try.

    [bold]Example[/]

      automl spaces sample my_space.yaml -n 5
    """
    import numpy as np
    import yaml

    found, rng = _load(space, allow_import), np.random.default_rng(seed)
    documents = (found.sample(rng) for _ in range(n))
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100), nl=False)


@app.command()
def diff(
    old: Annotated[
        str, typer.Argument(metavar="A", help="A space that ships, or a YAML file.", show_default=False)
    ],
    new: Annotated[str, typer.Argument(metavar="B", help="Another.", show_default=False)],
    allow_import: AllowImport = None,
) -> None:
    """Tell what came, went, widened or narrowed from A to B, and what that means for the trials of A.

    [bold]Example[/]

      automl spaces diff tabular my_space.yaml
    """
    import numpy as np

    first, second = _load(old, allow_import), _load(new, allow_import)
    changes = first.diff(second)
    styles = {"came": "green", "widened": "green", "went": "red", "narrowed": "red"}
    for change in changes:
        style = styles.get(change.kind)
        console.print(str(change), style=style, markup=False, highlight=False, soft_wrap=True)
    if not changes:
        console.print("no change")
    elif all(change.keeps for change in changes):
        console.print(f"every trial of {first.name} is a point of {second.name}", highlight=False)
    else:
        rng = np.random.default_rng(0)
        kept = sum(second.accepts(first.sample(rng)) for _ in range(_DRAWS))
        drawn = f"of {_DRAWS:,} draws from {first.name}, {kept:,} are points of {second.name}"
        console.print(drawn, highlight=False)


@app.command()
def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file.", show_default="the terminal"),
    ] = None,
) -> None:
    """Print the JSON Schema of the space language, by which editors complete and check.

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
        console.print(f"schema written to {output}", markup=False, highlight=False, soft_wrap=True)


def _load(space: str, allow_import: list[str] | None = None) -> Space:
    from automl.families import load_space

    return load_space(space, allow_imports=allow_import or ())


def _size(space: Space) -> str:
    size = space.size()
    points = "infinitely many" if size.points is None else f"{size.points:,}"
    families = ", ".join(f"{name} {count}" for name, count in size.dimensions.items())
    return f"{points} configurations; dimensions: {families}"
