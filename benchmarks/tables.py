"""What a search finds on real tables in a given time, beside a plain gradient boosting in the same run.

::

    python benchmarks/tables.py --timeout 30                     # tables that scikit-learn ships
    python benchmarks/tables.py --data FOLDER --only adult car   # tables of a folder

The folder holds an INDEX.csv with the columns name, file (parquet) and target. Four fifths of the rows are searched
on, at most 100,000 rows in all; scores are of the last fifth, greater is better. ``seconds`` is the wall time of
``fit``, which must stay within ``limit``: the timeout and 3 s, or 5 % of it.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import automl
from automl.metrics import DEFAULT_SCORING

MOST_ROWS = 100_000


def shipped() -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    for load in (load_breast_cancer, load_wine, load_digits, load_diabetes):
        X, y = load(return_X_y=True, as_frame=True)
        yield load.__name__.removeprefix("load_"), X, y


def in_folder(folder: Path, only: list[str]) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    index = pd.read_csv(folder / "INDEX.csv")
    for row in index.itertuples():
        if not only or row.name in only:
            table = pd.read_parquet(folder / row.file)
            if len(table) > MOST_ROWS:
                table = table.sample(MOST_ROWS, random_state=0)
            y = table.pop(row.target)
            yield row.name, table, y


def boosting(X: pd.DataFrame, y: pd.Series, regression: bool) -> object:
    words = make_column_selector(dtype_exclude="number")
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    columns = make_column_transformer((encode, words), remainder="passthrough")
    return make_pipeline(columns, kind(random_state=0)).fit(X, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--n-jobs", type=int)
    options = parser.parse_args()
    limit = options.timeout + max(3, 0.05 * options.timeout)
    print(
        f"{'table':22}{'metric':>14}{'automl':>11}{'boosting':>11}{'trials':>8}{'seconds':>9}{'limit':>7}  winner"
    )
    tables = in_folder(options.data, options.only) if options.data else shipped()
    for name, X, y in tables:
        regression = y.dtype.kind == "f" or y.nunique() > 100
        rows = train_test_split(X, y, test_size=0.2, random_state=0, stratify=None if regression else y)
        X_train, X_test, y_train, y_test = rows
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            search = automl.Search(
                timeout=options.timeout,
                n_jobs=options.n_jobs,
                storage=f"{folder}/study.journal",
                tracking_uri=f"sqlite:///{folder}/mlflow.db",
                progress=False,
            ).fit(X_train, y_train)
            seconds = time.perf_counter() - start
            ours = search.score(X_test, y_test)
            metric = DEFAULT_SCORING[search.task_]
            peer = get_scorer(metric)(boosting(X_train, y_train, regression), X_test, y_test)
        print(
            f"{name:22}{metric.removeprefix('neg_')[:13]:>14}{ours:>11.5g}{peer:>11.5g}"
            f"{len(search.leaderboard_):>8}{seconds:>9.1f}{limit:>7.1f}  {search.best_trial_.family}",
            flush=True,
        )


if __name__ == "__main__":
    main()
