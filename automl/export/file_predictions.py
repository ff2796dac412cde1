"""Predict the rows of a file into another file, a block of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from automl.errors import Fault, SettingError, nearest
from automl.table import RowBlocks

__all__ = ["predict_file"]

_ENDINGS = (".csv", ".parquet")


def predict_file(
    model: Any,
    file: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    target: str | None = None,
    proba: bool = False,
    keep: str | Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    **reading: Any,
) -> int:
    """Write the predictions of a model for the rows of a file; memory does not grow with a Parquet file.

    Parameters
    ----------
    model : Pipeline
        A model of `load_model`, or ``best_estimator_`` or ``ensemble_`` of a search.
    file : path
        The rows, in any format of `read_table`.
    output : path
        A ``.csv`` or ``.parquet`` file. It is written whole or not at all.
    target : str, optional
        The target's column, which is not passed to the model.
    proba : bool, default=False
        Whether to write a column ``probability_LABEL`` for each class.
    keep : str or sequence of str, default=()
        Columns of the file to write beside the predictions; as one text, with commas between them.
    progress : callable, optional
        Called with the rows done and all rows after each block.
    **reading
        Arguments of `read_table`, such as ``encoding``.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    SettingError
        If an argument is invalid, or ``keep`` names a column that the output has anyway, such as ``prediction``.
    TableError
        If the file cannot be read, or has other columns than in training. The message names the row group.
    """
    path = Path(output)
    if path.suffix not in _ENDINGS:
        came, remedy = str(output), "Choose one of these formats."
        raise SettingError(Fault("--output", f"must end in {' or '.join(_ENDINGS)}", came, remedy))
    if proba and not hasattr(model, "predict_proba"):
        raise SettingError(
            Fault("--proba", "needs a model with probabilities", "one without", "Leave it out.")
        )
    _check_kept(keep, _added(model, proba))
    with RowBlocks(file, **reading) as rows:
        columns, known = _columns(keep, rows.names), set(model.feature_names_in_)
        # A training file has the target too, and kept columns may be new; the model warns of others.
        unused = [name for name in (target, *columns) if name in rows.names and name not in known]
        with _Output(path, rows.types(columns)) as out:
            for block in rows:
                given, kept = block.frame.drop(columns=unused), block.frame[columns]
                with rows.errors_within(block):
                    found = _predictions(model, given, kept, block.start, proba)
                out.write(found)
                if progress is not None:
                    progress(block.start + len(found), rows.n_rows)
        return int(rows.n_rows)


def _added(model: Any, proba: bool) -> list[str]:
    """Return the columns that the output has beside kept ones."""
    return ["row", "prediction", *(map(_probability, model.classes_) if proba else ())]


def _probability(label: Any) -> str:
    return f"probability_{label}"


def _check_kept(keep: str | Sequence[str], added: Sequence[str]) -> None:
    """Check kept columns before the file is read.

    Raises
    ------
    SettingError
        If ``keep`` names a column that the output has anyway.
    """
    names = [name.strip() for name in keep.split(",")] if isinstance(keep, str) else list(keep)
    rule = f"must not name a column that the output has anyway ({', '.join(added[:2])} or a probability)"
    remedy = "Leave it out, or rename the column of the file."
    faults = [Fault("--keep", rule, f'"{name}"', remedy) for name in dict.fromkeys(names) if name in added]
    if faults:
        raise SettingError(faults)


def _columns(keep: str | Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns that ``keep`` names.

    Raises
    ------
    SettingError
        If the file has no such column, or one is named twice.
    """
    if isinstance(keep, str):
        keep = [keep] if keep in names else [name.strip() for name in keep.split(",")]
    faults = [
        Fault("--keep", "must name columns of the file", f'"{name}"', nearest(name, names))
        for name in keep
        if name not in names
    ]
    repeated = [name for name in dict.fromkeys(keep) if list(keep).count(name) > 1]
    faults += [
        Fault("--keep", "must name each column once", f'"{name}" twice', "Name it once.") for name in repeated
    ]
    if faults:
        raise SettingError(faults)
    return list(keep)


def _predictions(model: Any, rows: pd.DataFrame, kept: pd.DataFrame, start: int, proba: bool) -> pd.DataFrame:
    """Return row numbers from 1, kept columns, predictions, and the probability of every class if asked for."""
    if not len(rows):  # a row without values, whose predictions have the right types
        blank = kept.reindex([0]).astype(kept.dtypes)
        return _predictions(model, rows.reindex([0]), blank, start, proba).head(0)
    found = pd.DataFrame({"row": range(start + 1, start + len(rows) + 1)}, index=kept.index)
    for name in kept:
        found[name] = kept[name]
    found["prediction"] = model.predict(rows)
    if proba:
        for label, column in zip(model.classes_, model.predict_proba(rows).T, strict=True):
            found[_probability(label)] = column
    return found


class _Output:
    """A CSV or Parquet file that gets its name when all rows are written.

    Parameters
    ----------
    path : Path
        The file.
    types : dict
        Arrow types of columns; the others follow from the first rows.
    """

    def __init__(self, path: Path, types: dict[str, pa.DataType]) -> None:
        self._path, self._types = path, types
        self._unfinished, self._first = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}"), True
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def write(self, rows: pd.DataFrame) -> None:
        """Append rows."""
        if self._path.suffix == ".csv":
            rows.to_csv(self._unfinished, index=False, header=self._first, mode="w" if self._first else "a")
        else:
            if self._writer is None:
                self._writer = parquet.ParquetWriter(self._unfinished, self._schema(rows))
            schema = self._writer.schema
            self._writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False, safe=False))
        self._first = False

    def _schema(self, rows: pd.DataFrame) -> pa.Schema:
        schema = pa.Schema.from_pandas(rows, preserve_index=False)
        for name, of in self._types.items():
            schema = schema.set(schema.get_field_index(name), pa.field(name, of))
        return schema

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name, or remove it after an error."""
        if self._writer is not None:
            self._writer.close()
        if error is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)
