"""Reading and typing a table of text, against `pandas.read_csv`: `python benchmarks/typing_speed.py`.

A CSV file of numbers, decimal commas, amounts, dates, categories, codes and distinct texts is read by
`pandas.read_csv` and by `automl.read_table`; then all types are decided and converted: apart, and together with the
reading. To reach: at most twice the processor time of `pandas.read_csv`, which leaves amounts and dates as texts;
``dtype=str`` reads all cells as texts. The last line types a table of 10,000 columns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from automl import read_table
from automl.table import TypedColumns


def text_table(n: int, n_columns: int) -> pd.DataFrame:
    """Return a table of texts, its columns in ten kinds."""
    rng = np.random.default_rng(0)
    number = pd.Series(rng.normal(1000, 300, n).round(2))
    day = pd.Series(pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3650, n), unit="D"))
    whole = pd.Series(rng.integers(0, 100_000, n))
    kinds = {
        "number": number.astype(str),
        "comma": number.astype(str).str.replace(".", ",", regex=False),
        "amount": "$" + number.map("{:,.2f}".format),
        "percent": whole.mod(101).astype(str) + "%",
        "whole": whole.astype(str),
        "marked": whole.astype(str).where(whole % 7 > 0, "NA"),
        "day": day.dt.strftime("%d.%m.%Y"),
        "town": pd.Series(rng.choice(["Aachen", "Bern", "Cork", "None"], n)),
        "code": whole.mod(1000).astype(str).str.zfill(5),
        "name": "row " + pd.Series(rng.permutation(n)).astype(str),
    }
    names = list(kinds)
    return pd.DataFrame({f"{names[i % 10]}_{i}": kinds[names[i % 10]] for i in range(n_columns)})


def seconds(call) -> tuple[float, float]:
    """Return processor and wall-clock seconds of the faster of two calls."""
    found = []
    for _ in range(2):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--wide", type=int, default=10_000, help="columns of the wide table")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        text_table(args.rows, args.columns).to_csv(file, index=False, sep=";")
        print(f"{args.rows:,} x {args.columns} cells of text, {file.stat().st_size / 1e6:.0f} MB")
        reference = seconds(lambda: pd.read_csv(file, sep=";"))
        print(f"{'pandas.read_csv':32} {reference[0]:7.2f} s of processor time {reference[1]:7.2f} s")
        read = read_table(file)
        for name, call in {
            "pandas.read_csv, dtype=str": lambda: pd.read_csv(file, sep=";", dtype=str),
            "automl.read_table": lambda: read_table(file),
            "types": lambda: TypedColumns(text=True).fit_transform(read),
            "automl.read_table, types": lambda: TypedColumns(text=True).fit_transform(read_table(file)),
        }.items():
            cpu, wall = seconds(call)
            print(
                f"{name:32} {cpu:7.2f} s of processor time {wall:7.2f} s, {cpu / reference[0]:.2f} times pandas"
            )
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(200, args.wide))).add_prefix("x")
    cpu, wall = seconds(lambda: TypedColumns().fit_transform(wide))
    print(f"{f'200 x {args.wide:,} numbers, types':32} {cpu:7.2f} s of processor time {wall:7.2f} s")


if __name__ == "__main__":
    main()
