"""The corrected score of a search."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import make_scorer

import automl
from automl.errors import SettingError
from tests.support.tables import penguins, small

TREE = {"space": {"model": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}
SETTINGS = {"timeout": None, "n_jobs": 1, "cv": 2, "progress": False, "refit": False, "pruner": "none"}


def total_cost(y, predicted):
    return -float((y != predicted).sum())


@pytest.mark.slow
def test_corrected_score_compares_with_the_start_without_a_search(folder):
    start = {"enqueue": [{"model": "decision_tree", "max_depth": 1}]}
    search = automl.Search({**TREE, **start}, n_trials=6, scoring="accuracy", **SETTINGS).fit(*penguins())
    found = search.corrected_score_
    assert search.best_trial_.params["model.decision_tree.max_depth"] > 1
    assert found.beats_default > 0.95
    assert found.beats_baseline == 1
    alone = automl.Search({**TREE, **start}, n_trials=1, scoring="accuracy", **SETTINGS).fit(*penguins())
    assert alone.corrected_score_.beats_default == 0.5  # the start is the best trial


def test_board_has_no_baseline_that_the_scorer_refuses(folder):
    def picky(y, predicted):
        if len(y) > 30 and len(np.unique(predicted)) == 1:
            raise ValueError("one class alone is predicted")
        return float((y == predicted).mean())

    search = automl.Search(TREE, n_trials=3, scoring=make_scorer(picky), **SETTINGS).fit(*small(100))
    assert search.best_score_ > 0.5
    assert set(search.leaderboard_.state) == {"complete"}
    found = search.corrected_score_
    assert found.low <= found.score <= found.high
    assert found.baseline is found.beats_baseline is None
    assert "baseline_score" not in found.metrics
    page = search.report("report.html").read_text()
    assert "The best trial beats the first trial of its family in" in page
    assert "baseline that ignores" not in page


@pytest.mark.slow
def test_corrected_score_of_a_total_cost_is_on_the_board(folder):
    search = automl.Search(TREE, n_trials=3, scoring=make_scorer(total_cost), **SETTINGS).fit(*small(100))
    found = search.corrected_score_
    assert found.by_size
    assert found.selected == pytest.approx(search.best_score_)  # of one of two folds
    assert search.leaderboard_["corrected"].iloc[0] == found.score
    assert 2 * search.best_score_ - 5 < found.score <= search.best_score_ + 2
    assert found.low < found.score < found.high
    with pytest.raises(SettingError, match="a mean over rows"):
        found.interval(50)
    assert "of the rows of one fold" in search.report("report.html").read_text()
