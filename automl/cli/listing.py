"""Commands that list studies and runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from automl.cli.completion import complete_study
from automl.cli.options import Storage, TrackingUri
from automl.cli.output import console, print_rows, say
from automl.errors import AutomlError, without_passwords

__all__ = ["runs", "studies"]

_WORD = 8  # letters that a folded column keeps
_NUMBERS = ("trials", "unfinished", "score")


def studies(storage: Storage = None) -> None:
    """List the studies of this folder, oldest first: each can be resumed, ranked and reported.

    [bold]Examples[/]

      automl studies
      automl studies --json | jq 'select(.trials < 100) | .study'
    """
    from automl.study import known_studies

    rows = [_study(name, storage) for name in known_studies(storage)]
    if not rows:
        say("There are no studies yet. Start one: automl search FILE --target COLUMN")
    else:
        columns = ("study", "target", "scoring", "trials", "unfinished", "score", "family")
        spare = ("unfinished", "scoring", "family", "target", "trials", "score")
        print_rows(_table(columns, rows, spare), rows, "study")


def runs(
    study: Annotated[
        str | None,
        typer.Argument(
            help="List its trials, best first.", show_default="all searches", autocompletion=complete_study
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="How many runs to show.", min=1)] = 20,
    tracking_uri: TrackingUri = None,
) -> None:
    """List the MLflow runs of searches, newest first, or those of a study's trials.

    The run ID of a search is for export, that of a trial for replay.

    [bold]Examples[/]

      automl runs
      automl runs churn-20260102-120000-000
      automl export $(automl runs --top 1 --quiet) model
    """
    from automl.tracking import list_runs

    found = list_runs(study, tracking_uri, top)
    rows: list[dict[str, Any]] = [vars(row) for row in found]
    if not rows:
        say("There are no runs yet. Start a search: automl search FILE --target COLUMN")
    else:
        shown = [{**row, "age": _age(time.time() - row["started"])} for row in rows]
        columns = ("run_id", "name", "state", "score", "age")
        print_rows(_table(columns, shown, ("age", "state", "name", "score")), rows, "run_id")


def _study(name: str, storage: str | None) -> dict[str, Any]:
    """Return a study in one row; a study that cannot be read has the reason as its target."""
    from automl.select import best_record
    from automl.study import load_study, read_records, read_run, read_search

    row: dict[str, Any] = {"study": name, "target": None, "scoring": None, "trials": 0, "unfinished": 0}
    row |= {"score": None, "family": None, "run_id": None, "fault": None}
    try:
        study = load_study(name, storage)
        facts, records = read_search(study), read_records(study)
        states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    except AutomlError as error:
        return {**row, "target": "cannot be read", "fault": str(error)}
    if facts is None:
        return {**row, "target": "of another program", "trials": len(states)}
    best = best_record(records, facts)
    row |= {
        "target": facts.target,
        "scoring": facts.scoring,
        "trials": len(records),
        "run_id": read_run(study),
    }
    row |= {"unfinished": states.count("RUNNING")}
    return row if best is None else {**row, "score": best.score, "family": best.family}


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]], spare: Sequence[str]) -> Table:
    """Return rows as a table; columns that a narrow terminal has no room for are left out, ``spare`` ones first."""
    longest = {name: max(len(name), *(len(_cell(row[name])) for row in rows)) for name in columns}
    whole = {"run_id", "study", *_NUMBERS}  # copied, or wrong if cut
    needed = {name: width if name in whole else min(width, _WORD) for name, width in longest.items()}
    kept = list(columns)
    for name in spare:
        if sum(needed[one] + 2 for one in kept) + 2 > console.width:
            kept.remove(name)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in kept:
        table.add_column(
            name.replace("run_id", "run"),
            justify="right" if name in _NUMBERS else "left",
            overflow="fold",
            no_wrap=name in whole,
            min_width=needed[name],
        )
    for row in rows:
        table.add_row(*(Text(_cell(row[name])) for name in kept))
    return table


def _age(seconds: float) -> str:
    """Return seconds in the largest unit that fits.

    Examples
    --------
    >>> _age(42), _age(600), _age(7300), _age(200_000)
    ('42 s', '10 min', '2 h', '2 d')
    """
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds / length)} {unit}"
    return f"{int(max(seconds, 0))} s"


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else without_passwords(str(value))
