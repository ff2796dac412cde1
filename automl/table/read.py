"""Read tables from files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as parquet

from automl.errors import Fault, TableError, nearest
from automl.table.columns import repeated_names

__all__ = ["read_table"]

ENCODING = "utf-8-sig"  # takes a byte order mark, and does without
SEPARATORS = (",", ";", "\t")
FAILURES = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
)  # what pandas, pyarrow, gzip and codecs raise on a bad file


def read_table(
    path: str | os.PathLike[str], target: str | None = None
) -> pd.DataFrame | tuple[pd.DataFrame, pd.Series]:
    """Read a table and separate the target column.

    Parameters
    ----------
    path : path
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file. A csv file is UTF-8 text with names in its first line;
        commas, semicolons or tabs separate values.
    target : str, optional
        The column to predict.

    Returns
    -------
    DataFrame, or (DataFrame, Series) with ``target``
        The columns, and the target. ``frame.attrs["file"]`` is the path of the file.

    Raises
    ------
    TableError
        If the file is missing, has an unknown ending, cannot be read, has no rows, repeats a column name, or
        lacks the target column.
    """
    file = Path(path)
    read = _reader(file)
    where = str(file)
    if not file.is_file():
        came = "a folder" if file.is_dir() else "no such file"
        beside = [other.name for other in file.parent.glob("*")] if file.parent.is_dir() else []
        raise TableError(Fault(where, "must be a file", came, nearest(file.name, beside) if beside else ""))
    if file.stat().st_size == 0:
        raise TableError(Fault(where, "must hold a table", "an empty file"))
    try:
        frame = read(file)
    except pd.errors.EmptyDataError as error:
        raise TableError(Fault(where, "must hold a table", "an empty file")) from error
    except FAILURES as error:
        came = str(error).strip().split("\n")[0] or type(error).__name__
        raise TableError(Fault(where, "must be readable in the format of its ending", came)) from error
    faults = [Fault(where, fault.rule, fault.came, fault.remedy) for fault in repeated_names(frame)]
    if len(frame) == 0 and not faults:
        faults.append(Fault(where, "must have rows", "column names only"))
    if target is not None and target not in frame.columns:
        rule = "the target must be a column of the table"
        faults.append(Fault(where, rule, f'"{target}"', nearest(target, list(frame.columns))))
    if faults:
        raise TableError(faults)
    frame.attrs["file"] = str(file.resolve())
    return frame if target is None else (frame.drop(columns=target), frame[target])


def _reader(file: Path) -> Callable[[Path], pd.DataFrame]:
    name = file.name.lower()
    for suffix, read in READERS.items():
        if name.endswith(suffix):
            return read
    raise TableError(Fault(str(file), f"must end in {', '.join(READERS)}", f'"{file.suffix}"'))


def _read_csv(file: Path) -> pd.DataFrame:
    names: list[str] = []
    for separator in SEPARATORS:
        # As a header, pandas would rename repeated names (a, a.1); as a row they are kept.
        names = [name for name in _first_lines(file, separator, 1).iloc[0] if name]
        if len(names) > 1:
            break
    else:
        separator = SEPARATORS[0]
    if len(set(names)) < len(names):
        return pd.DataFrame(columns=names)
    # If rows are longer than the header, pandas would use the first values as an index; this call fails.
    _first_lines(file, separator, 2)
    return pd.read_csv(file, sep=separator, encoding=ENCODING, low_memory=False)


def _first_lines(file: Path, separator: str, n: int) -> pd.DataFrame:
    return pd.read_csv(
        file, sep=separator, header=None, nrows=n, dtype=str, encoding=ENCODING, na_filter=False
    )


def _read_parquet(file: Path) -> pd.DataFrame:
    names = parquet.read_schema(file).names
    if len(set(names)) < len(names):
        return pd.DataFrame(columns=names)
    frame = pd.read_parquet(file)
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


READERS = {".csv": _read_csv, ".csv.gz": _read_csv, ".parquet": _read_parquet}
