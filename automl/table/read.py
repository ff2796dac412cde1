"""Read tables from files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

from automl.errors import Fault, TableError, nearest
from automl.table.csv_text import as_separator, read_csv_text, text_numbers
from automl.table.frames import as_frame, repeated_names

__all__ = ["ENDINGS", "FAILURES", "archive_member", "read_table"]

# What pandas, pyarrow, the decompressors and the codecs raise on a bad file.
FAILURES = (ValueError, OSError, EOFError, KeyError, LookupError, lzma.LZMAError, zipfile.BadZipFile)
_EXCEL = "pip install 'automl-orchestrator[excel]'"


def read_table(
    path: str | os.PathLike[str],
    target: str | None = None,
    *,
    encoding: str | None = None,
    separator: str | None = None,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.Series]:
    """Read a table and separate the target column.

    Parameters
    ----------
    path : path
        Text with names in its first line (``.csv``, ``.tsv``, ``.txt``) or JSON lines (``.jsonl``), also compressed
        (``.gz``, ``.bz2``, ``.xz``, ``.zst``, ``.zip``); ``.parquet`` or ``.pq``, or a folder of them; ``.feather``;
        ``.xlsx`` (its first sheet).
    target : str, optional
        The column to predict.
    encoding : str, optional
        Encoding of a text; by default UTF-8 or UTF-16, or else Windows-1252 with a warning.
    separator : str, optional
        Separator of a text, one character or ``"tab"``; by default a comma, semicolon, tab or pipe, whichever fits.

    Returns
    -------
    DataFrame, or (DataFrame, Series) with ``target``
        The columns, and the target. Cells of a text that are not plain numbers or true and false stay text, and only
        empty cells are missing: ``None`` and ``NA`` may be categories. ``frame.attrs["file"]`` is the path of the file,
        and ``frame.attrs["reading"]`` holds the encoding and separator that were given.

    Raises
    ------
    TableError
        If the file is missing, has an unknown ending, cannot be read, repeats a column name, lacks the target
        column, or has a target and no rows.
    """
    file = Path(path)
    where = str(file)
    separator = as_separator(separator)
    read = _reader(file, encoding, separator)
    if not file.is_dir() and (not file.is_file() or file.stat().st_size == 0):
        if file.is_file():
            raise TableError(Fault(where, "must hold a table", "an empty file"))
        beside = [other.name for other in file.parent.glob("*")] if file.parent.is_dir() else []
        remedy = nearest(file.name, beside) if beside else ""
        raise TableError(Fault(where, "must be a file", "no such file", remedy))
    try:
        frame = read(file)
    except TableError:
        raise
    except pd.errors.EmptyDataError as error:
        raise TableError(Fault(where, "must hold a table", "an empty file")) from error
    except FAILURES as error:
        came = str(error).strip().split("\n")[0] or type(error).__name__
        remedy = "Give separator= or encoding= if the guess is wrong." if _is_text(file) else ""
        rule = "must be readable in the format of its ending"
        raise TableError(Fault(where, rule, came.rstrip("."), remedy)) from error
    faults = [Fault(where, fault.rule, fault.came, fault.remedy) for fault in repeated_names(frame)]
    if len(frame) == 0 and not faults and (target is not None or frame.shape[1] == 0):
        faults.append(Fault(where, "must have rows", "column names only"))
    if target is not None and target not in frame.columns:
        rule = "the target must be a column of the table"
        faults.append(Fault(where, rule, f'"{target}"', nearest(target, list(frame.columns))))
    if faults:
        raise TableError(faults)
    frame.attrs["file"] = str(file.resolve())
    given = {"encoding": encoding, "separator": separator}
    frame.attrs["reading"] = {name: value for name, value in given.items() if value is not None}
    if target is None:
        return frame
    y = frame[target]
    if isinstance(y.dtype, pd.StringDtype):
        y = text_numbers(y, frame.attrs.get("decimal", "."))
    return frame.drop(columns=target), y


def _read_jsonl(file: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(str(_bytes(file), "utf-8-sig").splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(rows[-1], dict):
                raise ValueError(f"line {number}: expected an object, got {line[:40]}")
    return as_frame(rows) if rows else pd.DataFrame()


def _read_parquet(file: Path) -> pd.DataFrame:
    if file.is_dir() and not any(_parquet_files(file)):
        rule = "a folder must hold .parquet files"
        raise TableError(Fault(str(file), rule, "a folder without"))
    names = parquet.read_schema(file if file.is_file() else next(_parquet_files(file))).names
    if len(set(names)) < len(names):
        return pd.DataFrame(columns=names)
    frame = pd.read_parquet(file)
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _parquet_files(folder: Path) -> Any:
    return (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in (".parquet", ".pq"))


def _read_feather(file: Path) -> pd.DataFrame:
    frame: pd.DataFrame = feather.read_table(file).to_pandas()
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _read_excel(file: Path) -> pd.DataFrame:
    try:
        with pd.ExcelFile(file, engine="openpyxl") as book:
            first, *others = book.sheet_names
            frame = pd.read_excel(book, keep_default_na=False, na_values=[""], header=None, dtype=object)
    except ImportError as error:
        raise TableError(
            Fault(str(file), "needs the package openpyxl", "none installed", f"Run {_EXCEL}.")
        ) from error
    if others:
        warnings.warn(
            f'{file.name}: the first sheet, "{first}", is read; there are {len(others)} more.', stacklevel=4
        )
    names = [str(name) if name == name else f"Unnamed: {i}" for i, name in enumerate(frame.iloc[0])]
    return frame.iloc[1:].reset_index(drop=True).infer_objects().set_axis(names, axis=1)


def _read_text(file: Path, encoding: str | None, separator: str | None) -> pd.DataFrame:
    return read_csv_text(_bytes(file), encoding, separator)


def _bytes(file: Path) -> Any:
    """Return the content of a text file, decompressed."""
    suffix = file.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            return archive.read(archive_member(archive))
    if suffix == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
            return stream.read()
    if suffix in _DECOMPRESS:
        return _DECOMPRESS[suffix](file.read_bytes())
    return pa.memory_map(str(file)).read_buffer()


def archive_member(archive: zipfile.ZipFile) -> str:
    """Return the name of the only file of an archive, besides folders and the notes of macOS.

    Raises
    ------
    ValueError
        If there are several files, or none.
    """
    names = archive.namelist()
    members = [name for name in names if not name.startswith("__MACOSX") and not name.endswith("/")]
    if len(members) != 1:
        raise ValueError(f"expected one file in the archive, found {len(members)}")
    return members[0]


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
_COMPRESSED = ("", *_DECOMPRESS, ".zst", ".zip")
_TEXT = (".csv", ".tsv", ".txt")
_BINARY: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".feather": _read_feather,
    ".xlsx": _read_excel,
}
ENDINGS = (*_TEXT, ".jsonl", *_BINARY)


def _reader(file: Path, encoding: str | None, separator: str | None) -> Callable[[Path], pd.DataFrame]:
    name = file.name.lower()
    if file.is_dir():
        return _read_parquet
    if name.endswith(tuple(ending + packed for ending in _TEXT for packed in _COMPRESSED)):
        return partial(_read_text, encoding=encoding, separator=separator)
    if name.endswith(tuple(".jsonl" + packed for packed in _COMPRESSED)):
        return _read_jsonl
    for suffix, read in _BINARY.items():
        if name.endswith(suffix):
            return read
    rule = f"must end in {', '.join(ENDINGS)}, or in {', '.join(_COMPRESSED[1:])} after a text's ending"
    raise TableError(Fault(str(file), rule, f'"{file.suffix}"'))


def _is_text(file: Path) -> bool:
    return any(ending in file.name.lower() for ending in _TEXT)
