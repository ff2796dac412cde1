"""Repeatable searches give bitwise equal results for any number of threads."""

import os

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_info

from automl import Search
from automl.study import read_records
from tests.support.trials import TIMES

SPACE = {
    "space": {
        "model": {
            "choice": {
                "mlp": {
                    "hidden_layer_sizes": [[64], [128, 64]],
                    "optimizer": ["adam", "lion"],
                    "learning_rate": {"low": 1e-3, "high": 0.03, "log": True},
                    "batch_size": [500, 1000],
                    "max_epochs": 3,
                },
                "linear": {"learning_rate": {"low": 1e-3, "high": 0.1, "log": True}, "max_epochs": 3},
                "random_forest": {"n_estimators": 8, "max_depth": {"low": 2, "high": 6}},
            }
        }
    }
}
CORES = os.cpu_count() or 1


@pytest.fixture(scope="module")
def large():
    """Return a table of a million values: BLAS uses one thread for smaller ones."""
    X, y = make_regression(25_000, 40, n_informative=20, noise=5.0, random_state=0)
    return X.astype(np.float32), y


def recording_scorer(folder):
    """Return a scorer that writes the number of BLAS threads to a folder, as a file name."""

    def r2(estimator, X, y):
        (most,) = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        if len(y) > 100:  # not in the check of the scorer
            (folder / str(most)).touch()
        return r2_score(y, estimator.predict(X))

    return r2


def recorded_threads(folder):
    return {int(file.name) for file in folder.iterdir()}


def searched(X, y, folder, **settings):
    (folder / "threads").mkdir(parents=True, exist_ok=True)
    search = Search(
        SPACE,
        scoring=recording_scorer(folder / "threads"),
        cv=2,
        random_state=0,
        refit=False,
        progress=False,
        study_name="s",
        storage=folder / "study.journal",
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        **settings,
    ).fit(X, y)
    return search, recorded_threads(folder / "threads")


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_search_gives_the_same_records_with_two_jobs(large, tmp_path):
    ends = []
    for n_jobs in (1, 2):
        search, threads = searched(*large, tmp_path / str(n_jobs), n_trials=14, n_jobs=n_jobs)
        assert threads == {1}
        records = read_records(search.study_)
        ends.append([record.model_dump(exclude=TIMES) for record in records])
        assert {record["family"] for record in ends[-1]} == {"mlp", "linear", "random_forest"}
    assert ends[0] == ends[1]


@pytest.mark.serial
@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_search_with_timeout_uses_all_threads_and_replays_with_them(large, tmp_path):
    search, threads = searched(*large, tmp_path / "timed", timeout=6, n_jobs=1)
    assert threads == {CORES}
    records = read_records(search.study_)
    more, _ = searched(*large, tmp_path / "timed", n_trials=len(records) + 1, n_jobs=1)
    first = next(record.number for record in records if record.score is not None)
    for number, threads in ((first, CORES), (len(records), 1)):
        for file in (tmp_path / "timed" / "threads").iterdir():
            file.unlink()
        assert more.replay(number).same
        assert recorded_threads(tmp_path / "timed" / "threads") == {threads}
