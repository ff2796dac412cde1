from __future__ import annotations

import sys

import numpy as np
import pytest

import automl
from automl.cli import main
from automl.errors import SettingError
from automl.search import compare
from automl.select import paired_interval
from tests.support.html import Page
from tests.support.tables import small

SETTINGS = {"n_trials": 3, "timeout": None, "n_jobs": 1, "progress": False, "refit": False, "cv": 4}


def tree(most: int):
    return {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": most}}}}}}


def test_compare_studies_and_runs(folder, monkeypatch, capsys):
    first = automl.Search(tree(3), study_name="a", **SETTINGS).fit(*small())
    second = automl.Search(tree(5), study_name="b", sampler="random", **SETTINGS).fit(*small())
    other = automl.Search(tree(3), study_name="c", **SETTINGS).fit(*small(80))
    found = compare(["a", second.run_id_, "c"])
    assert list(found.searches) == ["a", "b", "c"]
    expected = paired_interval(second.best_trial_.fold_scores, first.best_trial_.fold_scores)
    assert found.differences == [None, pytest.approx(expected), None]  # c has other rows
    changed = {row[0]: row[1:] for row in found.changed.rows}
    assert changed["n_rows"] == ["60", "60", "80"]
    assert changed["sampler"] == ["null", "random", "null"]
    assert "cv" not in changed
    assert "max_depth" in found.changes["b"]
    assert found.changes["c"] == ""
    lines = {line.get_label(): line for line in found.figure.axes[0].lines}
    best = np.maximum.accumulate([one.score for one in found.searches["b"].scored])
    assert lines["b"].get_ydata().tolist() == best.tolist()
    assert {"a", "b", "c"} <= lines.keys()

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["automl", "compare", "a", "b", "-o", "compare.html"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert "space, from a to b" in printed
    page = Page((folder / "compare.html").read_text())
    assert page.tags.count("svg") == 1
    assert "Settings that differ" in page.text

    monkeypatch.setattr(sys, "argv", ["automl", "report", other.run_id_, "-o", "c.html"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert "report of c" in (folder / "c.html").read_text()
    with pytest.raises(SettingError, match="two different ones or more; got a, a"):
        compare(["a", "a"])
    with pytest.raises(SettingError, match="must be a run of"):
        compare(["a", "0" * 32])


def test_paired_interval_contains_the_difference_of_folds():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        noise = rng.normal(size=(2, 10))
        mean, low, high = paired_interval(noise[0] + 0.5, noise[1])
        assert low < mean < high
        covered += low < 0.5 < high
    assert covered >= 190  # wider than for independent folds
    assert paired_interval([0.5], [0.25]) == (0.25, -np.inf, np.inf)
