"""Memory of a search on a large table: the peak of all its processes above what there was before `fit`.

::

    python benchmarks/memory.py                 # 1,000,000 x 50, with 1, 2 and 4 workers
    python benchmarks/memory.py --json --rows 200000 --space tabular

Of every process the proportional set size counts: memory that several share is shared out among them. ``before`` is
the process with the table and with all libraries loaded, by a tiny search; ``peak`` is above that, and ``times`` is
the peak in prepared matrices (float32), of which 3, 4.5 and 5 are allowed. Linux alone tells.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMITS = {1: 3.0, 2: 4.5, 4: 5.0}  # by workers
SPACES = {
    "descent": {
        "space": {
            "preprocess": {"numeric": {"scale": ["standard", "minmax"]}},
            "model": {
                "choice": {
                    "linear": {"learning_rate": {"low": 1e-3, "high": 0.1, "log": True}, "max_epochs": 4},
                    "mlp": {"hidden_layer_sizes": [[16]], "max_epochs": 2, "batch_size": [512]},
                }
            },
        }
    },
}
SEARCH = """
import json, sys, tempfile, warnings
import numpy as np
import automl

rows, columns, n_jobs, n_trials, space = json.loads(sys.argv[1])
warnings.simplefilter("ignore")

def search(X, y, n_jobs, n_trials):
    with tempfile.TemporaryDirectory() as folder:
        return automl.Search(
            space=space, n_trials=n_trials, timeout=None, n_jobs=n_jobs, progress=False,
            storage=f"{folder}/study.journal", tracking_uri=f"sqlite:///{folder}/mlflow.db",
        ).fit(X, y)

rng = np.random.default_rng(0)
search(rng.normal(size=(60, columns)), rng.integers(0, 2, 60), 1, 2)
X = rng.normal(size=(rows, columns))
y = (X[:, 0] + X[:, 1] > 0).astype(int)
print("ready", flush=True)
sys.stdin.readline()
found = search(X, y, n_jobs, n_trials)
print(json.dumps({"trials": int(found.leaderboard_.trial.count()), "score": found.best_score_}), flush=True)
"""


def tree(pid: int) -> list[int]:
    """Return a process and all that came of it."""
    found, parents = [pid], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def pss(pid: int) -> int:
    """Return the proportional set size of a process and all that came of it, in bytes."""
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def measure(rows: int, columns: int, n_jobs: int, n_trials: int, space: object) -> dict[str, object]:
    given = json.dumps([rows, columns, n_jobs, n_trials, space])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.py"
        file.write_text(SEARCH)
        with subprocess.Popen(
            [sys.executable, str(file), given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            child.stdout.readline()
            before = peak = pss(child.pid)
            child.stdin.write("go\n")
            child.stdin.flush()
            start = time.perf_counter()
            while child.poll() is None:
                peak = max(peak, pss(child.pid))
                time.sleep(0.02)
            said = json.loads(child.stdout.readline())
    matrix = 4 * rows * columns
    return {
        "rows": rows, "columns": columns, "workers": n_jobs, "before_mb": round(before / 1e6),
        "peak_mb": round((peak - before) / 1e6), "matrix_mb": round(matrix / 1e6),
        "times": round((peak - before) / matrix, 2), "limit": LIMITS.get(n_jobs, ""),
        "seconds": round(time.perf_counter() - start, 1),
        **said,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="*", default=list(LIMITS))
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument(
        "--space", default="descent", help="linear models and mlps (descent), or any that ships"
    )
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    shown = ("rows", "columns", "workers", "before_mb", "peak_mb", "matrix_mb", "times", "limit", "seconds")
    if not options.json:
        print(" ".join(f"{name:>10}" for name in shown))
    for n_jobs in options.workers:
        space = SPACES.get(options.space, options.space)
        row = measure(options.rows, options.columns, n_jobs, options.trials, space)
        print(json.dumps(row) if options.json else " ".join(f"{row[name]:>10}" for name in shown), flush=True)


if __name__ == "__main__":
    main()
