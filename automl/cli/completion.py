"""Values that the shell completes: studies, spaces, columns, scorers, samplers, pruners."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import typer

__all__ = [
    "complete_column",
    "complete_pruner",
    "complete_sampler",
    "complete_scorer",
    "complete_space",
    "complete_study",
]


def complete_study(incomplete: str) -> list[str]:
    """Return the studies of the current folder."""
    from pathlib import Path

    return _starting(incomplete, [file.stem for file in Path("mlruns/studies").glob("*.journal")])


def complete_space(incomplete: str) -> list[str]:
    """Return the spaces that ship, and YAML files of the current folder."""
    from pathlib import Path

    from automl.space import shipped_names

    return _starting(incomplete, [*shipped_names(), *(str(file) for file in Path().glob("*.y*ml"))])


def complete_column(context: typer.Context, incomplete: str) -> list[str]:
    """Return the columns of the table that the command line names before, if its header can be read."""
    from pathlib import Path

    # Before an option without its value, typer has not parsed the words yet.
    words = [context.params.get("file") or "", *context.args]
    file = next((Path(word) for word in map(str, words) if Path(word).is_file()), Path())
    with suppress(Exception):  # any broken file; the search reports it
        if file.suffix == ".parquet":
            from pyarrow import parquet

            return _starting(incomplete, parquet.read_schema(file).names)
        import pandas as pd

        return _starting(incomplete, map(str, pd.read_csv(file, nrows=0, sep=None, engine="python").columns))
    return []


def complete_scorer(incomplete: str) -> list[str]:
    """Return the names of scikit-learn's scorers."""
    from sklearn.metrics import get_scorer_names

    return _starting(incomplete, get_scorer_names())


def complete_sampler(incomplete: str) -> list[str]:
    """Return the names of the samplers."""
    from automl.study import SAMPLERS

    return _starting(incomplete, SAMPLERS)


def complete_pruner(incomplete: str) -> list[str]:
    """Return the names of the pruners."""
    from automl.study import PRUNERS

    return _starting(incomplete, PRUNERS)


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
