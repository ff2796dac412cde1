"""Searches in sparse tables."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import automl
from automl.errors import SpaceError, TableError

FAMILIES = {
    "linear": {"max_epochs": 20, "learning_rate": 0.05, "batch_size": 32},
    "extra_trees": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 30},
    "xgboost": {"n_estimators": 30},
    "catboost": {"n_estimators": 30},
    "svm": {"estimator": "sklearn.svm.LinearSVC"},
    "hist_gradient_boosting": {"max_iter": 5},
}


@pytest.fixture(scope="module")
def words():
    """Counts of 400 words in 300 texts; the label follows from 20 of them."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.02, size=(300, 400)).astype(float)
    counts[:, :20] = rng.poisson(1.5, size=(300, 20))
    signal = counts[:, :10].sum(axis=1) - counts[:, 10:20].sum(axis=1) + rng.normal(0, 0.3, 300)
    return sparse.csr_matrix(counts), np.where(signal > 0, "ham", "spam")


def make(families, **settings):
    space = {"space": {"model": {"choice": {name: FAMILIES[name] for name in families}}}}
    return automl.Search(
        space, **{"timeout": None, "n_jobs": 1, "progress": False, "scoring": "accuracy", **settings}
    )


@pytest.mark.filterwarnings("ignore:No further parameters")
def test_search_keeps_a_sparse_table_sparse(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 0)
    X, y = words
    search = make(FAMILIES, sampler="grid", n_trials=6).fit(X, y)
    assert "hist_gradient_boosting takes no sparse table" in search.left_out_[0]
    board = search.leaderboard_
    board = board[board.family != "dummy"]
    assert set(board.family) == set(FAMILIES) - {"hist_gradient_boosting"}
    assert board.score.min() > 0.6  # chance is 0.5
    assert search.study_.user_attrs["search"]["density"] == pytest.approx(X.nnz / (300 * 400))
    found = search.predict(X[:20])
    for form in (X[:20].toarray(), sparse.csc_array(X[:20]), pd.DataFrame.sparse.from_spmatrix(X[:20])):
        assert (search.predict(form) == found).all()
    assert search.predict(X[:0]).shape == (0,)
    model = automl.load_model(search.export("model"))
    assert (model.predict(X) == search.predict(X)).all()
    with pytest.raises(TableError, match="must not be a sparse table"):
        search.explain()
    search.report("report.html")


def test_search_refuses_a_sparse_table_without_a_family_for_it(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 0)
    with pytest.raises(SpaceError, match="hist_gradient_boosting takes no sparse table"):
        make(["hist_gradient_boosting"], n_trials=1).fit(*words)
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 2**28)
    assert (
        make(["hist_gradient_boosting"], n_trials=1).fit(*words).best_score_ > 0.5
    )  # small, and therefore dense


@pytest.mark.parametrize("family", ["xgboost", "catboost", "lightgbm"])
def test_stored_zeros_predict_as_other_zeros(words, family, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 0)
    X, y = words
    search = make([family], n_trials=1, ensemble=False).fit(X, y)
    some, zeros = X[:20].tocoo(), np.zeros(20 * 20)
    places = np.divmod(np.arange(20 * 20), 20)  # every cell of twenty columns
    rows, columns = (np.append(*pair) for pair in zip((some.row, some.col), places, strict=True))
    stored = sparse.csr_matrix((np.append(some.data, zeros), (rows, columns)), shape=some.shape)
    assert (stored.data == 0).any()
    np.testing.assert_allclose(search.predict_proba(stored), search.predict_proba(X[:20]), rtol=1e-6)
    assert (stored.data == 0).any()  # the table of the caller is unchanged


@pytest.mark.slow
def test_search_never_holds_a_large_sparse_table_as_dense_numbers(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few, y = words
    X = sparse.hstack([few, sparse.csr_matrix((few.shape[0], 200_000))], format="csr")
    dense_bytes = 8 * X.shape[0] * X.shape[1]
    tracemalloc.start()
    try:
        search = make(["extra_trees", "svm"], sampler="grid", n_trials=2, ensemble=False).fit(X, y)
        assert tracemalloc.get_traced_memory()[1] < dense_bytes / 4
    finally:
        tracemalloc.stop()
    assert search.score(X, y) > 0.9


@pytest.mark.slow
def test_worker_processes_take_sparse_tables(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 0)
    scores = [
        make(["linear", "svm"], sampler="grid", n_trials=2, n_jobs=n_jobs, refit=False)
        .fit(*words)
        .leaderboard_
        for n_jobs in (1, 2)
    ]
    assert scores[0].score.tolist() == scores[1].score.tolist()
