"""`SearchSpec`: settings and facts of a search."""

import json
import multiprocessing

import joblib
import numpy as np
import pytest

from automl.errors import SettingError
from automl.search import Search, SearchSpec, make_plan, make_spec
from automl.search.settings import SETTINGS, check_settings
from automl.search.spec import resolve_jobs
from tests.support.scripted import search_spec
from tests.support.tables import small

TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}}


def accuracy(estimator, X, y):
    return estimator.score(X, y)


def spec_of(**settings):
    X, y = small()
    plan = make_plan(X, y, space=TREE, scoring=None, cv=2, groups=None, random_state=0)
    own = {"space": TREE, "scoring": None, "cv": 2, "sampler": None, "pruner": None, "storage": None}
    defaults = {name: rule.default for name, rule in SETTINGS.items()} | own | {"callbacks": None}
    return make_spec(defaults | settings, plan)


def test_spec_json_goes_both_ways():
    spec = spec_of(n_trials=8, scoring=accuracy, memory_limit="2GB", study_name="s")
    assert SearchSpec.model_validate_json(spec.model_dump_json()) == spec


def test_spec_study_settings_separate_objects():
    kept = spec_of(n_trials=8, scoring=accuracy, study_name="s").study_settings
    assert kept["objects"] == ["scoring"]
    assert kept["plain"]["n_trials"] == 8
    assert {"study_name", "storage", "tracking_uri", "callbacks"}.isdisjoint(kept["plain"])
    json.dumps(kept)


def test_spec_limits_are_infinite_by_default():
    spec = search_spec()
    assert spec.trial_timeout == spec.patience == spec.memory_limit == float("inf")
    assert not spec.repeatable
    assert spec_of(memory_limit="2GB").memory_limit == 2e9


def test_spec_accepts_numpy_numbers():
    spec = spec_of(n_trials=np.int64(8), timeout=np.float32(2.0))
    assert (spec.n_trials, spec.timeout, spec.repeatable) == (8, 2.0, True)


def test_spec_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        search_spec().facts = None


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 6), (-1, 6), (1, 1), (4, 4), (9, 9)])
def test_resolve_jobs_is_the_number_of_cores_by_default(monkeypatch, n_jobs, expected):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    assert resolve_jobs(n_jobs) == expected


@pytest.mark.parametrize("n_jobs", [None, -1])
def test_resolve_jobs_is_one_in_a_daemon_process(n_jobs):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(resolve_jobs, (n_jobs,)) == 1
    assert resolve_jobs(n_jobs) == joblib.cpu_count()


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, None), (-1, None), (3, 3)])
def test_spec_uses_all_cores_of_a_cluster_with_one_thread(n_jobs, expected):
    spec = spec_of(engine="ray://head:10001", n_jobs=n_jobs)
    assert (spec.engine, spec.n_jobs, spec.facts.blas_threads) == ("ray://head:10001", expected, 1)
    assert spec.run_params["engine"] == "ray://head:10001"


@pytest.mark.parametrize(
    "engine", ["dask", "ray://head", "ray://ann:secret@head:10001", "http://head:1", None]
)
def test_check_settings_refuses_other_engines(engine):
    settings = Search(engine=engine).get_params(deep=False)
    with pytest.raises(SettingError, match="engine: must be ") as refused:
        check_settings(settings)
    assert "secret" not in f"{refused.value} {refused.value!r} {refused.value.faults}"
