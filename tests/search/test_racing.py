"""A search that trains folds in turn and prunes trials between them."""

import numpy as np
import pandas as pd
import pytest

import automl
from automl.search import replay_run
from automl.study import read_records

DEPTHS, SHARES = {"low": 1, "high": 12}, {"low": 0.1, "high": 1.0}
SPACE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": DEPTHS, "max_features": SHARES}}}}}
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))
Y = (X["a"] + X["b"] + 0.2 * rng.normal(size=600) > 0).astype(int)


def searched(n_jobs=1, **settings):
    search = automl.Search(
        SPACE, n_trials=16, n_jobs=n_jobs, cv=3, progress=False, refit=False, random_state=1, **settings
    )
    return search.fit(X, Y)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("racing"))
        yield searched()


def test_search_prunes_trials_between_folds(search):
    records = read_records(search.study_)
    raced = [record for record in records if record.folds_left]
    assert len(raced) > 2
    assert {record.state for record in raced} == {"pruned"}
    for record in raced:
        known = [one for one in records[: record.number] if one.state == "complete"]
        assert record.score < max(min(one.fold_scores) for one in known)
    complete = sum(record.state == "complete" for record in records)
    board = search.leaderboard_
    assert set(board["state"][:complete]) == {"complete"}


def test_search_replays_a_trial_that_was_pruned_between_folds(search):
    board = search.leaderboard_.set_index("trial")
    raced = next(record for record in read_records(search.study_) if record.folds_left)
    replay = replay_run(board.loc[raced.number, "run_id"], X, Y)
    assert replay.same
    assert replay.recorded.score == raced.score


def test_search_that_races_is_the_same_for_two_jobs(search, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boards = [one.leaderboard_[["trial", "state", "score"]] for one in (search, searched(2))]
    pd.testing.assert_frame_equal(*boards)
