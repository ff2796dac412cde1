"""Threads of workers: their number, and the numbers that a fit on a Ray worker finds."""

import json
import os
from dataclasses import replace

import pytest

from automl.metrics import objectives_for
from automl.workers import Finished, open_workers
from automl.workers.blas import cores_per_worker
from tests.support.ray_cluster import add_node

NAMES = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "BOOSTING")  # of variables with threads


@pytest.mark.parametrize(
    ("cores", "n_workers", "expected"), [([8, 8], 2, 8), ([8, 8], 3, 4), ([8, 2], 2, 4), ([], 3, 1)]
)
def test_cores_per_worker_lets_all_workers_fit(cores, n_workers, expected):
    assert cores_per_worker(cores, n_workers) == expected


@pytest.fixture
def two_cores(ray_cluster):
    """Add a node of two cores; it leaves at the end."""
    node = add_node(ray_cluster, num_cpus=2)
    yield
    ray_cluster.remove_node(node)


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize(
    ("small", "blas_threads", "blas", "openmp"), [(0, 1, 1, 2), (0, 2, 2, 2), (10**6, 2, 1, 1)]
)
def test_worker_has_the_threads_of_its_cores(
    context, cohort, drive, two_cores, monkeypatch, tmp_path, small, blas_threads, blas, openmp
):
    import ray

    from automl.workers import ray_workers
    from automl.workers.ray_trainer import RayTrainer

    class Watched(RayTrainer):
        def __init__(self, context, threads):
            import lightgbm

            import automl.workers.blas

            automl.workers.blas._SMALL = small
            init = lightgbm.Booster.__init__

            def watch(booster, params=None, *more, **options):
                os.environ["BOOSTING_THREADS"] = str((params or {}).get("num_threads"))
                init(booster, params, *more, **options)

            lightgbm.Booster.__init__ = watch
            super().__init__(context, threads, lambda: False)

        def where(self):
            return ray.get_runtime_context().get_node_id(), self.version()

    def scorer(estimator, X, y):  # sent by value
        from threadpoolctl import threadpool_info

        pools = {(one["user_api"], one["num_threads"]) for one in threadpool_info()}
        variables = [os.environ.get(f"{name}_THREADS") for name in NAMES]
        found = {"pools": sorted(pools), "variables": variables}
        (tmp_path / f"{os.getpid()}.json").write_text(json.dumps(found))
        return 0.0

    scored = replace(context, objectives=objectives_for(scorer, None, "binary", 2))
    for file in tmp_path.iterdir():  # of a check of the scorer in this process
        file.unlink()
    monkeypatch.setattr(ray_workers, "TrainerActor", ray.remote(Watched))
    one = cohort({"lightgbm": {"n_estimators": 2}})
    trials = tuple(trial.model_copy(update={"blas_threads": blas_threads}) for trial in one.trials)
    workers = open_workers(scored, 1, engine="ray")
    try:
        workers.submit(replace(one, trials=trials))
        assert isinstance(drive(workers, 1)[-1], Finished)
    finally:
        workers.close()
    (file,) = tmp_path.iterdir()
    found = json.loads(file.read_text())
    assert found == {"pools": [["blas", blas], ["openmp", openmp]], "variables": ["2", "2", "2", "2", "1"]}
