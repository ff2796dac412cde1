"""Training from a Parquet file that is larger than the memory it may take.

``python benchmarks/parquet.py`` writes a file of 20 million rows into a temporary folder (0.9 GB, removed at the
end), trains a cohort from it in a separate process, and prints the peak of resident memory beside its limit, 1.5 GB,
and the seconds of an epoch beside those of reading the file once. ``--rows`` takes fewer rows, ``--json`` prints one
object a line.

``--search`` searches the file within ``--memory-limit`` (2 GB), four trials of small networks and trees, and then a
sample of 200,000 of its rows alone in the same way; then it predicts the file. It prints the peak of resident memory
of all processes, the seconds at which each step begins, and the scores on 200,000 other rows: ``score`` is that of the
model, and ``score_before_all_rows`` that of the same pipeline before it was fitted to all rows. ``--folder`` keeps the
file for the next call. Without ``--timeout`` there is time for the fit of all rows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from automl.descent import Architecture, ParquetMatrix, TrainConfig, Training

FEATURES, GROUP, COHORT, EPOCHS = 10, 100_000, 8, 2
COLUMNS = [f"x{j}" for j in range(FEATURES)]
ALLOWED_GB = 1.5
SAMPLE = 200_000  # rows of the search that it is compared with, and of the held-out file


def write(path: Path, rows: int) -> None:
    """Write rows of normal features and a target of two classes, a row group at a time."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=FEATURES)
    names = [*COLUMNS, "y"]
    schema = pa.schema([(name, pa.float32()) for name in names])
    with pq.ParquetWriter(path, schema, compression=None, use_dictionary=False) as writer:
        for start in range(0, rows, GROUP):
            X = rng.normal(size=(FEATURES, min(GROUP, rows - start))).astype(np.float32)
            y = (weights @ X + rng.normal(size=X.shape[1]) > 0).astype(np.float32)
            writer.write_table(pa.table([*X, y], names=names))


def train(path: Path) -> float:
    """Return the seconds of an epoch."""
    matrix = ParquetMatrix(path, COLUMNS)
    configs = [
        TrainConfig("adam", learning_rate=rate, batch_size=256, max_epochs=EPOCHS)
        for rate in np.geomspace(1e-4, 1e-2, COHORT).tolist()
    ]
    training = Training(Architecture("logistic"), configs, matrix, matrix.column("y"))
    start = time.perf_counter()
    training.advance(EPOCHS)
    losses = [training.history(i)[0] for i in range(COHORT)]
    if training.failures or min(loss[-1] for loss in losses) > 0.4:
        raise SystemExit(f"The cohort did not learn: {losses}")
    return (time.perf_counter() - start) / EPOCHS


def read(path: Path) -> float:
    """Return the seconds of reading all columns once, as `ParquetMatrix` reads them."""
    start = time.perf_counter()
    file = pq.ParquetFile(path)
    for i in range(file.metadata.num_row_groups):
        file.read_row_group(i, COLUMNS, use_threads=False)
    return time.perf_counter() - start


def alone(work: Callable[[Path], float], path: Path) -> tuple[float, float]:
    """Return the seconds and the peak of resident memory, in GB, of work in a fresh process of one thread."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, path).result()


def _measured(work: Callable[[Path], float], path: Path) -> tuple[float, float]:
    with threadpool_limits(1):
        seconds = work(path)
    # kilobytes on Linux, bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(rows: int) -> dict[str, Any]:
    """Write, train and read; return memory and times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, rows)
        size = path.stat().st_size / 1e9
        seconds, peak = alone(train, path)
        limit, _ = alone(read, path)
    return {
        "case": "parquet",
        "rows": rows,
        "features": FEATURES,
        "k": COHORT,
        "file_gb": size,
        "peak_gb": peak,
        "allowed_gb": ALLOWED_GB,
        "epoch_s": seconds,
        "limit_s": limit,
        "limit_fraction": limit / seconds,
    }


SEARCH = """
import json, shutil, sys, time
import pandas as pd
from sklearn.metrics import roc_auc_score
import automl
from automl.search import run
from automl.tracking import Progress

file, held_out, sample, n_trials, timeout, memory_limit, space = json.loads(sys.argv[1])
begun, stages = time.perf_counter(), []
note = Progress.stage

def stage(self, text):
    stages.append([text, time.perf_counter() - begun])
    note(self, text)

Progress.stage = stage
fit_all_rows, of_sample = run.fit_all_rows, []

def fit(pipeline, *args, **more):
    of_sample.append(pipeline)
    return fit_all_rows(pipeline, *args, **more)

run.fit_all_rows = fit

def main():
    settings = {"space": space, "n_trials": n_trials, "timeout": timeout, "memory_limit": memory_limit}
    if sample:
        from automl.table import ParquetTable, draw_rows
        search = automl.Search(**settings, ensemble=False).fit(draw_rows(ParquetTable(file), "y", sample, 0), "y")
    else:
        search = automl.Search(**settings).fit(file, "y")
    seconds = time.perf_counter() - begun
    other = pd.read_parquet(held_out)
    y = other.pop("y")
    before = [roc_auc_score(y, one.predict_proba(other)[:, 1]) for one in of_sample]
    print(json.dumps({
        "seconds": seconds, "stages": stages, "score": search.score(other, y), "family": search.best_trial_.family,
        "trials": int(search.leaderboard_.trial.count()), "searched_rows": search._winner.facts.n_rows,
        "fitted_rows": search.fitted_rows_, "validation_score": search.best_score_, "score_before_all_rows": before,
    }))
    if not sample:
        shutil.rmtree("model", ignore_errors=True)
        search.export("model")

if __name__ == "__main__":
    main()
"""
SPACE = {
    "space": {
        "model": {
            "choice": {
                "mlp": {
                    "hidden_layer_sizes": [[64, 64]],
                    "optimizer": ["adam"],
                    "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
                    "max_epochs": 4,
                    "batch_size": [512],
                },
                "lightgbm": {
                    "n_estimators": 60,
                    "num_leaves": [31, 127],
                    "learning_rate": {"low": 0.1, "high": 0.4, "log": True},
                    "early_stopping": False,
                },
            }
        }
    }
}
PREDICT = "import sys; from automl.cli import main; sys.argv[0] = 'automl'; main()"


def write_curved(path: Path, rows: int, seed: int) -> None:
    """Write rows whose target follows products and thresholds of the features, so that more rows help."""
    rng = np.random.default_rng(1)
    pairs, cuts = rng.integers(0, FEATURES, (12, 3)), rng.normal(size=(12, 2))
    names = [*COLUMNS, "y"]
    schema = pa.schema([*((name, pa.float32()) for name in COLUMNS), ("y", pa.int8())])
    with pq.ParquetWriter(path, schema, compression=None, use_dictionary=False) as writer:
        for start in range(0, rows, GROUP):
            rng = np.random.default_rng([seed, start])
            X = rng.normal(size=(FEATURES, min(GROUP, rows - start))).astype(np.float32)
            score = sum(
                X[a] * (X[b] > low) * (X[c] > high)
                for (a, b, c), (low, high) in zip(pairs, cuts, strict=True)
            )
            y = (score + rng.normal(size=X.shape[1]) > 0).astype(np.int8)
            writer.write_table(pa.table([*X, y], names=names).cast(schema))


def watched(command: list[str], folder: Path) -> tuple[str, float, float]:
    """Return the last line that a process prints, its peak of memory in GB, its children included, and seconds."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as child:
        while child.poll() is None:
            peak = max(peak, resident(child.pid))
            time.sleep(0.1)
        assert child.stdout is not None
        lines = child.stdout.read().splitlines()
    if child.returncode:
        raise SystemExit(f"{command[:3]} ended with {child.returncode}")
    return lines[-1], peak / 1e9, time.perf_counter() - start


def resident(pid: int) -> int:
    """Return the resident memory of a process and its children; pages that they share count once."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error, OSError):
                total += one.memory_full_info().pss
    return total


def measure_search(
    rows: int, settings: list[Any], folder: Path, parts: list[str]
) -> Iterator[dict[str, Any]]:
    """Write the file unless it is there, and search, search a sample, or predict; yield the results."""
    file, held_out = folder / "large.parquet", folder / "held-out.parquet"
    if not file.exists():
        write_curved(folder / "part", rows, seed=0)
        write_curved(held_out, SAMPLE, seed=1)
        (folder / "part").rename(file)
    for part in parts:
        if part == "predict":
            _, peak, seconds = watched(
                [sys.executable, "-c", PREDICT, "predict", "model", str(file), "-o", "predictions.parquet"],
                folder,
            )
            yield {"case": part, "rows": rows, "peak_gb": peak, "seconds": seconds}
            continue
        n_sample = SAMPLE if part == "sample" else 0
        given = json.dumps([str(file), str(held_out), n_sample, *settings, SPACE])
        (folder / "search.py").write_text(SEARCH)
        said, peak, _ = watched([sys.executable, "search.py", given], folder)
        yield {"case": part, "rows": rows, "peak_gb": peak, "limit": settings[-1], **json.loads(said)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", action="store_true", help="search the file")
    parser.add_argument("--memory-limit", default="2GB", help="of the search")
    parser.add_argument("--trials", type=int, default=4, help="of the search")
    parser.add_argument("--timeout", type=float, help="seconds of the search")
    parser.add_argument("--parts", nargs="*", default=["large", "sample", "predict"], help="of --search")
    parser.add_argument("--folder", type=Path, help="where the file is kept; a temporary folder by default")
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the file")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    if options.search:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (options.folder or Path(scratch)).absolute()
            folder.mkdir(exist_ok=True)
            for row in measure_search(
                options.rows, [options.trials, options.timeout, options.memory_limit], folder, options.parts
            ):
                print(json.dumps(row), flush=True)
        return
    found = measure(options.rows)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'rows':>12}{'file GB':>10}{'peak GB':>10}{'allowed':>9}{'epoch s':>10}{'reading s':>11}")
    print(
        f"{found['rows']:12,}{found['file_gb']:10.2f}{found['peak_gb']:10.2f}{ALLOWED_GB:9.1f}"
        f"{found['epoch_s']:10.2f}{found['limit_s']:11.2f}"
    )


if __name__ == "__main__":
    main()
