"""Training from a Parquet file that is larger than the memory it may take.

``python benchmarks/parquet.py`` writes a file of 20 million rows into a temporary folder (0.9 GB, removed at the
end), trains a cohort from it in a separate process, and prints the peak of resident memory beside its limit, 1.5 GB,
and the seconds of an epoch beside those of reading the file once. ``--rows`` takes fewer rows, ``--json`` prints one
object a line.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from automl.descent import Architecture, ParquetMatrix, TrainConfig, Training

FEATURES, GROUP, COHORT, EPOCHS = 10, 100_000, 8, 2
COLUMNS = [f"x{j}" for j in range(FEATURES)]
ALLOWED_GB = 1.5


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the file")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
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
