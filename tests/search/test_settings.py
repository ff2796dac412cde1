"""How many cohorts train side by side."""

from __future__ import annotations

import multiprocessing

import joblib
import pytest

from automl.search.spec import resolve_jobs as jobs_of


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 6), (-1, 6), (1, 1), (4, 4), (9, 9)])
def test_as_many_cohorts_train_side_by_side_as_there_are_cores_unless_said(monkeypatch, n_jobs, expected):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    assert jobs_of(n_jobs) == expected


@pytest.mark.parametrize("n_jobs", [None, -1])
def test_a_process_that_may_have_no_children_has_one_job(n_jobs):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(jobs_of, (n_jobs,)) == 1
    assert jobs_of(n_jobs) == joblib.cpu_count()
