"""Searches at the edges: 10,000 columns, 1,000 classes, 5,000 trials.

``python benchmarks/limits.py`` prints a table, ``--json`` one object a line, ``--case NAME`` (repeatable) only some.
Each search runs in a process of its own. ``seconds`` is the time of ``fit``, ``predict_seconds`` that of five rows;
``late`` is the time of ``fit`` after the limit, of which max(3 s, 5 %) are allowed;
``peak_mb`` is the resident memory of the search process at its most. The search has a model, or ``error`` says what
it said before training.

``wide``        2,000 rows of 10,000 numbers, ``timeout=60``
``wide_text``   1,000 rows of 10,000 columns of categories, ``timeout=60``
``classes``     20,000 rows of 20 numbers in 1,000 classes, ``timeout=60``
``trials``      5,000 trials of small linear models on 200 rows, without a time limit
``no_room``     10,000 numbers with ``memory_limit="600MB"``, which is not enough
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "wide": {"timeout": 60},
    "wide_text": {"timeout": 60},
    "classes": {"timeout": 60},
    "trials": {"timeout": None, "n_trials": 5_000},
    "no_room": {"timeout": 60, "memory_limit": "600MB"},
}
SEARCH = """
import json, os, resource, sys, time, warnings
import numpy as np
import pandas as pd
import automl

SMALL = {"space": {"model": {"choice": {"linear": {
    "learning_rate": {"low": 1e-4, "high": 1, "log": True}, "max_epochs": {"low": 1, "high": 5},
    "l2": {"low": 1e-6, "high": 1, "log": True},
}}}}}

def table(case):
    rng = np.random.default_rng(0)
    if case == "wide_text":
        X = pd.DataFrame({f"c{i}": rng.choice(["a", "b", "c"], 1_000) for i in range(10_000)})
        return X, np.where((X["c0"] == "a") ^ (rng.random(1_000) < 0.1), "u", "v")
    if case == "classes":
        y = np.repeat(np.arange(1_000), 20)
        centres = rng.normal(size=(1_000, 20))
        return pd.DataFrame(centres[y] + 0.3 * rng.normal(size=(20_000, 20))).add_prefix("x"), y.astype(str)
    X = rng.normal(size=(200, 4) if case == "trials" else (2_000, 10_000))
    return pd.DataFrame(X).add_prefix("x"), (X[:, 0] + X[:, 1] + rng.normal(size=len(X)) > 0).astype(int)

def main():
    case, settings = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    X, y = table(case)
    start = time.perf_counter()
    try:
        space = SMALL if case == "trials" else "tabular"
        search = automl.Search(space, progress=False, **settings).fit(X, y)
        seconds = time.perf_counter() - start
        board = search.leaderboard_
        found = {"trials": len(board), "best": search.best_trial_.family, "score": round(search.best_score_, 4)}
        start = time.perf_counter()
        assert search.predict(X[:5]).shape == (5,)
        found["predict_seconds"] = round(time.perf_counter() - start, 2)
    except automl.AutomlError as error:
        seconds = time.perf_counter() - start
        found = {"error": f"{type(error).__name__}: {error}"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": round(seconds, 1), "peak_mb": round(peak / 1e6), **found}))

if __name__ == "__main__":
    main()
"""


def measure(case: str) -> dict[str, Any]:
    settings = CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.py"
        file.write_text(SEARCH)
        command = [sys.executable, str(file), json.dumps([case, settings])]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=folder, check=True).stdout
    found = json.loads(out.splitlines()[-1])
    late = {} if settings["timeout"] is None else {"late": round(found["seconds"] - settings["timeout"], 1)}
    return {"case": case, **settings, **found, **late}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--json", action="store_true", help="one object a line")
    given = parser.parse_args()
    for case in given.case or CASES:
        row = measure(case)
        print(json.dumps(row) if given.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
