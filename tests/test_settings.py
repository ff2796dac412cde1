"""How many cohorts train side by side."""

from __future__ import annotations

from types import SimpleNamespace

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
    opened = []
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    monkeypatch.setattr("automl.settings.open_workers", lambda assignment, n, **limits: opened.append(n))
    values = {name: rule.default for name, rule in SETTINGS.items()} | {"n_jobs": n_jobs}
    workers_for(SimpleNamespace(frame=SimpleNamespace(size=n_values)), values)
    assert opened == [expected]
