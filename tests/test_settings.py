"""How many cohorts train side by side."""

from __future__ import annotations

import multiprocessing
from types import SimpleNamespace
from unittest import mock

import joblib
import pytest

from automl.settings import SETTINGS, workers_for


@pytest.mark.parametrize(
    ("n_jobs", "n_values", "cores", "expected"),
    [
        (None, 49_999, 6, 2),
        (None, 49_999, 1, 1),
        (None, 50_000, 6, 6),
        (-1, 10, 6, 6),
        (-1, 10**6, 6, 6),
        (1, 10**6, 6, 1),
        (4, 10, 6, 4),
        (9, 10, 6, 9),
    ],
)
def test_a_table_of_few_values_has_two_jobs_unless_more_are_asked_for(
    monkeypatch, n_jobs, n_values, cores, expected
):
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    assert jobs_of(n_jobs, n_values) == expected


@pytest.mark.parametrize("n_jobs", [None, -1])
def test_a_process_that_may_have_no_children_has_one_job(n_jobs):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(jobs_of, (n_jobs, 10**6)) == 1
    assert jobs_of(n_jobs, 10**6) == joblib.cpu_count()


def jobs_of(n_jobs, n_values):
    opened = []
    with mock.patch("automl.settings.open_workers", lambda assignment, n, **limits: opened.append(n)):
        values = {name: rule.default for name, rule in SETTINGS.items()} | {"n_jobs": n_jobs}
        workers_for(SimpleNamespace(frame=SimpleNamespace(size=n_values)), values)
    return opened[0]
