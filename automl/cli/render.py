"""Tables and lines of the command line."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl.cli.output import console, print_rows, say
from automl.cli.output import output as output_form
from automl.errors import Fault, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from automl.records import SearchRecord, TrialRecord

__all__ = [
    "best_line",
    "check_output",
    "console",
    "corrected_line",
    "leaderboard_table",
    "row_progress",
    "sample_line",
    "say",
    "show_table",
]

_LINE_SECONDS = 10.0  # between two lines of progress
_WHOLE = ("complete", "ensemble", "baseline")  # states of rows that are not dimmed
_DIGITS = 5  # of scores


def best_line(best: TrialRecord, members: int = 0) -> str:
    """Return a line with the best trial and, if it predicts better, the ensemble and its number of trials."""
    better = f"; an ensemble of {members} trials predicts better" if members else ""
    return f"best: trial {best.number}, {best.family}, score {_score(best.score)}{better}"


def corrected_line(corrected: Mapping[str, float]) -> str:
    """Return the corrected scores of the best trial and the ensemble, and a line about what the trial beats."""
    low, high = (_score(corrected[name]) for name in ("low", "high"))
    shares = (
        f"{what} in {corrected[name]:.0%}"
        for name, what in (
            ("beats_baseline", "the baseline"),
            ("beats_default", "the first trial of its family"),
        )
        if _given(corrected.get(name))
    )
    beats = " and ".join(shares)
    together = ""
    if _given(corrected.get("ensemble_score")):
        score, *ends = (_score(corrected[f"ensemble_{name}"]) for name in ("score", "low", "high"))
        together = f"; ensemble {score} ({' to '.join(ends)})"
    return (
        f"expected on new rows: {_score(corrected['score'])} ({low} to {high}), corrected for the selection"
        f"{together}; baseline {_score(corrected['baseline'])}"
    ) + (f"\nthe best trial beats {beats} of random halves of the rows" if beats else "")


def leaderboard_table(table: pd.DataFrame, top: int, title: str) -> Table:
    """Return the head of a leaderboard for the terminal, one line a row; failed trials show their reason."""
    positive = table.attrs.get("positive_class")
    of = "" if positive is None else f", positive class: {positive}"
    n_trials = table["trial"].count() + table["repeats"].sum()
    shown = Table(
        title=Text(f"{title}: {n_trials} trials{of}", style="table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        expand=True,
    )
    # In a narrow terminal parameters are cut first, then the family, never a number.
    # The first objective is the score.
    measured = _between(table, "score", "score_std")
    for name in ("rank", "trial", "state", "family", "score", *measured, "seconds"):
        words = name in ("state", "family")
        shown.add_column(name, justify="left" if words else "right", no_wrap=name != "family")
    shown.add_column("parameters", no_wrap=True, ratio=1)
    best = set(table[table["state"] == "complete"].groupby("family", sort=False).head(1).index)
    head = table.head(top)
    scores = aligned(head["score"])
    for (rank, row), score in zip(head.iterrows(), scores, strict=True):
        values = (_measured(name, row[name]) for name in measured)
        cells = (
            f"{rank} +" if row.get("front", False) else rank,
            row.trial if _given(row.trial) else "-",
            row.state,
            f"{'*' if rank in best else ' '} {row.family}",
            score,
            *values,
            f"{row.seconds:.2f}" if _given(row.seconds) else "-",
            row.reason if row.state == "failed" else row.parameters,
        )
        # As Text: in a string rich reads [...] as markup.
        texts = (Text(str(cell), no_wrap=True, overflow="ellipsis") for cell in cells)
        shown.add_row(*texts, style=None if row.state in _WHOLE else "dim")
    captions = ["* best of its family"]
    if "front" in table:
        captions.append(
            "+ on the Pareto front: no other trial is better in one thing and as good in all others"
        )
    shown.caption = Text("\n".join(captions))
    shown.caption_justify = "left"
    return shown


def show_table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], title: str, numbers: Collection[int] = ()
) -> None:
    """Print a table, whose long cells are folded; as JSON, an object for each row."""
    shown = Table(title=Text(title, style="table.title"), title_justify="left", box=box.SIMPLE_HEAD)
    for place, head in enumerate(heads):
        shown.add_column(Text(head), justify="right" if place in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))
    objects = [{"table": title, **dict(zip(heads, row, strict=True))} for row in rows]
    print_rows(shown, objects, heads[0])


def aligned(values: Iterable[float]) -> list[str]:
    """Return numbers with the same number of decimals, five digits of the largest; "-" for missing ones.

    Examples
    --------
    >>> aligned([0.81234567, 0.8, float("nan")]), aligned([-1234.5678, -99.0])
    (['0.81235', '0.80000', '-'], ['-1234.6', '-99.0'])
    """
    numbers = list(values)
    largest = max((abs(value) for value in numbers if _given(value) and math.isfinite(value)), default=0.0)
    if not 1e-4 <= largest < 1e9:
        return [_score(value) for value in numbers]
    decimals = max(0, _DIGITS - 1 - max(-1, math.floor(math.log10(largest))))
    return [f"{value:.{decimals}f}" if _given(value) else "-" for value in numbers]


def _between(table: pd.DataFrame, first: str, last: str) -> list[str]:
    """Return the columns between two, without one that says the same as the first, and without the corrected score."""
    names = list(table.columns)
    between = names[names.index(first) + 1 : names.index(last)]
    return [
        name for name in between if not name.startswith("corrected") and not table[name].equals(table[first])
    ]


def _measured(name: str, value: float) -> str:
    if not _given(value):
        return "-"
    if name == "excess":
        return f"{value:+.0%}" if value else ""
    return f"{value:,.0f}" if name.endswith("_bytes") else f"{value:.3g}"


def _given(value: Any) -> bool:
    return value is not None and str(value) not in ("nan", "<NA>")


def _score(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.5g}"


def sample_line(facts: SearchRecord) -> str:
    """Return a line with the number of rows that scores were measured on; empty without a sample."""
    if not facts.sample_rows:
        return ""
    return f"scores are of a sample: {facts.rows_searched} rows were searched"


@contextmanager
def row_progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback for progress by rows: a bar in a terminal, otherwise a line from time to time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    errors, quiet = Console(stderr=True), output_form.form == "names"
    hidden = quiet or not errors.is_terminal
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=hidden) as bar:
        task, last = bar.add_task(doing), time.monotonic()

        def show(done: int, total: int) -> None:
            nonlocal last
            bar.update(task, completed=done, total=total)
            if hidden and not quiet and time.monotonic() - last >= _LINE_SECONDS:
                errors.print(f"{doing}: {done:,} of {total:,} rows", highlight=False)
                last = time.monotonic()

        yield show


def check_output(output: Path | None, endings: tuple[str, ...] = ()) -> None:
    """Raise SettingError if the file could not be written in the end, or has none of these endings."""
    if output is None:
        return
    if endings and output.suffix not in endings:
        remedy = "Choose one of these formats."
        raise SettingError(Fault("--output", f"must end in {' or '.join(endings)}", str(output), remedy))
    if output.is_dir():
        raise SettingError(Fault("--output", "must be a file", f"{output}, a folder", "Name a file in it."))
    if not output.parent.is_dir():
        remedy = f"Make {output.parent} first, or name another."
        raise SettingError(Fault("--output", "must be in a folder that exists", str(output), remedy))
