"""What the command line shows as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaderboard_table"]


def leaderboard_table(table: pd.DataFrame, top: int, title: str, *, brief: bool = False) -> Table:
    """Return the head of a leaderboard for the terminal, with the parameters that were searched."""
    shown = Table(
        title=Text(f"{title}: {len(table)} trials", style="table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        expand=brief,
    )
    # Where the terminal is narrow, parameters give way first, then the family; never a number.
    for name in ("rank", "trial", "state", "family", "score", "seconds"):
        words = name in ("state", "family")
        shown.add_column(name, justify="left" if words else "right", no_wrap=name != "family")
    if brief:
        shown.add_column("parameters", no_wrap=True, ratio=1)
    else:
        shown.add_column("parameters", overflow="fold")
    for rank, row in table.head(top).iterrows():
        own = _searched(table, f"model.{row.family}.")
        params = " ".join(f"{name}={_short(row[path])}" for path, name in own.items() if _given(row[path]))
        cells = (rank, row.trial, row.state, row.family, _score(row.score), f"{row.seconds:.2f}", params)
        # As Text, for in a string rich takes [...] for markup.
        shown.add_row(*(Text(str(cell)) for cell in cells), style=None if row.state == "complete" else "dim")
    return shown


def _searched(table: pd.DataFrame, prefix: str) -> dict[str, str]:
    """Return the parameters under a prefix that have more than one value, with their short names."""
    paths = [name for name in table.columns if name.startswith(prefix)]
    varied = [path for path in paths if table[path].dropna().astype(str).nunique() > 1]
    return {path: path.removeprefix(prefix) for path in varied if ".preprocess." not in path}


def _given(value: Any) -> bool:
    return value is not None and value == value


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace(" ", "")


def _score(value: float) -> str:
    return f"{value:.5g}" if _given(value) else "-"
