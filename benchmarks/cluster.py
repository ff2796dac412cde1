"""Measure searches on a Ray cluster: overhead, bytes that move, memory.

``python benchmarks/cluster.py`` prints tables, ``--json`` one object a line, ``--part NAME`` (repeatable) only some.
All nodes run on this machine. ``pip install 'ray[client,tune]'`` installs what it needs.

``sleep``   640 trials that sleep for a second, on 16 logical cores, then on 64 (``--cores``): a search with everything
            in MLflow on SQLite, and Ray Tune with `reuse_actors`, one after the other on the same Ray. ``share`` is the
            ideal time, with every core busy until the last trial, divided by the time from the first trial's start to
            the last one's end; ``share_total`` divides by the time of the whole call, in which workers start and files
            are written. ``--trials`` takes fewer trials, ``--only`` one of the two.
``data``    a table of 200 MB on two nodes: seconds until the store has it, until a second node has it, and bytes of the
            messages of a cohort.
``memory``  the same table on one node: memory of one worker and of two, pages they share counted once.
"""

from __future__ import annotations

import argparse
import json
import logging
import pickle
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import ray
from sklearn.base import BaseEstimator, ClassifierMixin

import automl
from automl.families import Problem
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.table import TypedColumns, make_folds
from automl.workers import Cohort, RungReached, WorkerContext, open_workers, ray_workers
from automl.workers.ray_trainer import AtRung

N_TRIALS, SECONDS = 640, 1.0
QUIET = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}


class Sleeper(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose fit sleeps, except on the few rows of the check before a search."""

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate

    def fit(self, X: Any, y: Any) -> Sleeper:
        self.classes_ = np.unique(y)
        if len(X) >= 100:
            time.sleep(SECONDS)
        return self

    def predict_proba(self, X: Any) -> Any:
        positive = 1 / (1 + np.exp(-np.asarray(X)[:, 0] * self.rate))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> Any:
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]


def table(n_rows: int, n_columns: int) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, n_columns)), columns=[f"x{i}" for i in range(n_columns)])
    return X, (X["x0"] + rng.normal(size=n_rows) > 0).astype(int).rename("y")


def ours(n_trials: int) -> tuple[float, float]:
    """Search, and return the seconds from the first trial's start to the last one's end, and of the whole call."""
    X, y = table(200, 4)
    space = {"space": {"model": {"sleeper": {"estimator": "cluster.Sleeper", "rate": {"low": 0, "high": 1}}}}}
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        search = automl.Search(
            space, engine="ray", n_trials=n_trials, timeout=None, sampler="random", pruner="none", refit=False,
            cv=[(np.arange(150), np.arange(150, 200))], allow_imports="cluster", progress=False,
            storage=f"{folder}/study.journal", tracking_uri=f"sqlite:///{folder}/mlflow.db",
        ).fit(X, y)  # fmt: skip
        total = time.time() - start
        records = [trial.user_attrs["record"] for trial in search.study_.get_trials(deepcopy=False)]
    assert len(records) == n_trials
    times = [json.loads(record) if isinstance(record, str) else record for record in records]
    last = max(one["started"] + one["seconds"] for one in times)
    return last - min(one["started"] for one in times), total


def tune(n_trials: int) -> tuple[float, float]:
    """Return the same of Ray Tune, whose actors train one trial after another."""
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        start = time.time()
        time.sleep(SECONDS)
        tune.report({"score": config["rate"], "start": start, "end": time.time()})

    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"rate": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=n_trials, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        total = time.time() - start
        found = results.get_dataframe()
    assert len(found) == n_trials
    return float(found["end"].max() - found["start"].min()), total


def sleep(cores: int, n_trials: int, only: str | None) -> Iterator[dict[str, Any]]:
    ideal = n_trials * SECONDS / cores
    ray.init("local", num_cpus=cores, **QUIET)
    try:
        for name, run in (("automl", ours), ("tune", tune)):
            if only not in (None, name):
                continue
            window, total = run(n_trials)
            yield {
                "part": "sleep", "what": name, "cores": cores, "trials": n_trials, "ideal": ideal,
                "seconds": round(window, 1), "share": round(ideal / window, 3),
                "total": round(total, 1), "share_total": round(ideal / total, 3),
            }  # fmt: skip
    finally:
        ray.shutdown()


def large_context() -> WorkerContext:
    X, y = table(500_000, 50)
    columns = TypedColumns()
    frame, target = columns.fit_transform(X), y.to_numpy()
    folds, objectives = make_folds(target, "binary", 2, 0, None), objectives_for(None, None, "binary", 2)
    types = columns.column_types_
    return WorkerContext(frame, types, target, Problem("binary", 2), folds, objectives, 0)


def cohort(number: int) -> Cohort:
    model = {"linear": {"max_epochs": 4, "batch_size": 4096}}
    trials = range(8 * number, 8 * number + 8)
    return Cohort(
        number,
        tuple(TrialSpec(number=n, configuration={"model": model}, params={}, seed=n) for n in trials),
    )


def train(workers: Any, n_cohorts: int) -> None:
    """Train cohorts at the same time, to their ends."""
    for number in range(n_cohorts):
        workers.submit(cohort(number))
    while n_cohorts:
        event = workers.next(120)
        if isinstance(event, RungReached):
            event.reply(set())
        else:
            n_cohorts -= 1


def data() -> Iterator[dict[str, Any]]:
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=2 << 30, include_dashboard=False)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        context = large_context()
        start = time.perf_counter()
        kept = ray.put(context)
        placed = time.perf_counter() - start

        @ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
        class Reader:
            def node(self) -> str:
                return str(ray.get_runtime_context().get_node_id())

            def read(self, references: list[Any]) -> float:
                start = time.perf_counter()
                ray.get(references[0])
                return time.perf_counter() - start

        readers = [Reader.remote() for _ in range(2)]
        ray.get([reader.node.remote() for reader in readers])
        seconds = sorted(ray.get(reader.read.remote([kept])) for reader in readers)
        megabytes = context.frame.memory_usage().sum() / 1e6
        yield {
            "part": "data", "what": "place", "megabytes": round(megabytes), "seconds_put": round(placed, 2),
            "seconds_same_node": round(seconds[0], 3), "seconds_other_node": round(seconds[1], 2),
        }  # fmt: skip
        for reader in readers:
            ray.kill(reader)
        del kept
        with tempfile.TemporaryDirectory() as folder, messages() as sizes:
            workers = open_workers(replace(context, predictions=Path(folder)), 2, engine="ray")
            train(workers, 2)
            workers.close()
        predictions = 4 * 2 * len(context.y) * 8  # float32, two classes, eight trials
        yield {
            "part": "data", "what": "messages", "cohorts": 2, "trials": 8, "messages": len(sizes) // 2,
            "bytes": sum(sizes) // 2, "of_these_predictions": predictions,
        }  # fmt: skip
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def messages() -> Iterator[list[int]]:
    """Collect the sizes of the cohorts and messages between a search and its workers, in bytes."""
    sizes: list[int] = []
    event = ray_workers.RayWorkers._event

    def measured(workers: Any, worker: Any, cohort: Cohort, message: Any) -> Any:
        sizes.append(
            len(pickle.dumps(message)) + (0 if isinstance(message, AtRung) else len(pickle.dumps(cohort)))
        )
        return event(workers, worker, cohort, message)

    ray_workers.RayWorkers._event = measured  # type: ignore[method-assign]
    yield sizes
    ray_workers.RayWorkers._event = event  # type: ignore[method-assign]


def memory() -> Iterator[dict[str, Any]]:
    context = large_context()
    matrix = context.frame.shape[0] * context.frame.shape[1] * 4 / 1e6
    for n in (1, 2):
        ray.init("local", num_cpus=2, object_store_memory=2 << 30, **QUIET)
        try:
            workers = open_workers(context, n, engine="ray")
            train(workers, n)
            found = [
                one.memory_full_info() for one in psutil.process_iter() if one.name().startswith("ray::Train")
            ]
            yield {
                "part": "memory", "what": f"{n} on a node", "matrix_megabytes": round(matrix),
                "megabytes": round(sum(one.pss for one in found) / 1e6),
                "of_their_own": round(sum(one.uss for one in found) / 1e6),
            }  # fmt: skip
            workers.close()
        finally:
            ray.shutdown()


def rows(parts: list[str], cores: list[int], n_trials: int, only: str | None) -> Iterator[dict[str, Any]]:
    for part in parts:
        if part == "sleep":
            for n in cores:
                yield from sleep(n, n_trials, only)
        else:
            yield from {"data": data, "memory": memory}[part]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", action="append", choices=["sleep", "data", "memory"])
    parser.add_argument("--cores", type=int, nargs="*", default=[16, 64])
    parser.add_argument("--trials", type=int, default=N_TRIALS)
    parser.add_argument("--only", choices=["automl", "tune"], help="of the part sleep")
    parser.add_argument("--json", action="store_true", help="one object a line")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for row in rows(given.part or ["sleep", "data", "memory"], given.cores, given.trials, given.only):
        print(json.dumps(row) if given.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
