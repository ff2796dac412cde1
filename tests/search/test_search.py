"""`Search`: from a table to a model, through the public API."""

import shutil
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

import automl
from automl.search import Budget
from automl.study import read_records
from tests.support.boards import trial_rows
from tests.support.tables import cancer, diabetes, penguins, small

SPACE = {
    "name": "brief",
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust"]}, "categorical": {"encode": "onehot"}},
        "model": {
            "choice": {
                "linear": {
                    "optimizer": {"choice": {"sgd": {}, "momentum": {"momentum": [0.5, 0.9]}, "adam": {}}},
                    "schedule": {"choice": {"exponential": {"rate": {"low": 0.8, "high": 1.0}}, "cosine": {}}},
                    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
                    "batch_size": [16, 64, "full"],
                    "max_epochs": 8,
                },
                "mlp": {"hidden_layer_sizes": [[8], [8, 8]], "learning_rate": 0.01, "max_epochs": 8},
                "decision_tree": {"max_depth": {"low": 1, "high": 5}},
                "hist_gradient_boosting": {"max_iter": 10, "learning_rate": {"low": 0.1, "high": 0.5}},
            }
        },
    },
}  # fmt: skip

TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}}


def make(space=SPACE, **settings):
    settings = {"n_trials": 16, "timeout": None, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(space, **settings)


@pytest.fixture(scope="module", params=[cancer, penguins, diabetes], ids=lambda table: table.__name__)
def searched(request, empty_store, tmp_path_factory):
    """Return a search on a real table, held-out rows and its folder."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    (folder / "mlruns").mkdir()
    shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
    X, y = request.param()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield make().fit(X_train, y_train), X_test, y_test, folder


def test_search_predicts_original_labels(searched):
    search, X_test, y_test, _ = searched
    assert isinstance(search.best_estimator_, Pipeline)
    predicted = search.predict(X_test)
    assert predicted.shape == (len(X_test),)
    if search.task_ != "regression":
        assert set(predicted) <= set(y_test)
        assert list(search.classes_) == sorted(y_test.unique())
        probabilities = search.predict_proba(X_test)
        assert probabilities.shape == (len(X_test), len(search.classes_))
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_search_predicts_better_than_a_constant(searched):
    search, X_test, y_test, _ = searched
    # predicting the mean has an RMSE of about 77
    minimum = {"binary": 0.97, "multiclass": -0.2, "regression": -65}[search.task_]
    assert search.score(X_test, y_test) > minimum
    assert search.best_score_ > minimum


def test_search_leaderboard_ranks_all_trials(searched):
    search, *_ = searched
    board = trial_rows(search.leaderboard(wide=True))
    trials = search.study_.get_trials()
    assert len(board) == 16 == len(trials)
    assert set(board.family) == {"linear", "mlp", "decision_tree", "hist_gradient_boosting"}
    complete = board[board.state == "complete"]
    assert complete.score.is_monotonic_decreasing
    assert complete.score.iloc[0] == search.best_score_ == search.study_.best_value
    states = {trial.number: trial.state.name.lower() for trial in trials}
    assert {row.trial: row.state for row in board.itertuples()} == states
    first = board.iloc[0]
    assert all(first[name] == value for name, value in search.best_params_.items() if np.isscalar(value))


def test_search_logs_each_trial_as_a_child_run(searched):
    search, *_ = searched
    client = MlflowClient(f"sqlite:///{searched[3]}/mlruns/mlflow.db")
    parent = client.get_run(search.run_id_)
    assert parent.info.status == "FINISHED"
    runs = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{search.run_id_}'", max_results=100
    )
    assert {run.info.run_id for run in runs} == set(search.leaderboard_.run_id.dropna())
    best = client.get_run(search.leaderboard_.run_id.iloc[0])
    assert best.data.metrics["score"] == pytest.approx(search.best_score_)
    for name, value in search.best_params_.items():
        assert name in best.data.params, value
    wanted = {
        "binary": {"accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss"},
        "multiclass": {"accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss"},
        "regression": {"rmse", "mae", "r2"},
    }[search.task_]
    assert wanted <= set(best.data.metrics)
    board = trial_rows(search.leaderboard(wide=True))
    linear = board[board.family == "linear"].iloc[0]
    history = client.get_metric_history(linear.run_id, "train_loss")
    assert [point.step for point in history] == list(range(1, int(linear.epochs) + 1))
    statuses = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}
    assert {run.info.run_id: run.info.status for run in runs} == {
        row.run_id: statuses[row.state] for row in board.itertuples()
    }


def test_search_registers_the_best_model(searched):
    search, _, y_test, folder = searched
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    (version,) = client.search_model_versions(f"name = 'automl-{y_test.name}'")
    assert version.run_id == search.run_id_


@pytest.mark.slow
def test_search_exports_a_model_for_other_processes(searched, tmp_path):
    search, X_test, *_ = searched
    search.export(tmp_path / "model")
    X_test.to_parquet(tmp_path / "rows.parquet")
    script = (
        "import sys, numpy, pandas, automl\n"
        "predicted = automl.load_model(sys.argv[1]).predict(pandas.read_parquet(sys.argv[2]))\n"
        "numpy.save(sys.argv[3], predicted.astype('U32' if len(sys.argv) > 4 else float))"
    )
    names = [tmp_path / "model", tmp_path / "rows.parquet", tmp_path / "predictions.npy"]
    text = [] if search.task_ == "regression" else ["text"]
    subprocess.run([sys.executable, "-c", script, *map(str, names), *text], check=True, cwd=tmp_path)
    assert np.array_equal(np.load(names[2]), search.predict(X_test))


def test_predict_accepts_missing_values_new_categories_and_other_types(searched):
    search, X_test, *_ = searched
    expected = search.predict(X_test)
    as_text = X_test.astype(object).where(X_test.notna(), None)
    for name in X_test.select_dtypes("number"):
        as_text[name] = as_text[name].map(lambda value: None if value is None else str(value))
    assert np.array_equal(search.predict(as_text), expected)
    assert np.array_equal(search.predict(X_test[X_test.columns[::-1]]), expected)
    odd = X_test.head(3).copy()
    for name in odd:
        odd[name] = odd[name].astype(object)
        odd.loc[odd.index[0], name] = None
        if not isinstance(odd[name].iloc[1], float | int | pd.Timestamp):
            odd.loc[odd.index[1], name] = "new"
    assert len(search.predict(odd)) == 3


def test_predict_checks_columns(searched):
    search, X_test, *_ = searched
    renamed = X_test.rename(columns={X_test.columns[3]: "something else"})
    with pytest.raises(automl.TableError) as caught:
        search.predict(renamed)
    assert X_test.columns[3] in str(caught.value)
    assert "something else" in str(caught.value)
    numeric = X_test.select_dtypes("number").columns[0]
    with pytest.raises(automl.TableError, match="seven"):
        search.predict(X_test.assign(**{numeric: "seven"}))


@pytest.mark.slow
def test_search_with_the_same_seed_repeats(folder):
    X, y = cancer()
    boards = [make(random_state=3).fit(X, y).leaderboard(wide=True) for _ in range(2)]
    same = [name for name in boards[0] if name not in ("seconds", "run_id")]
    pd.testing.assert_frame_equal(boards[0][same], boards[1][same])
    other = make(random_state=4).fit(X, y).leaderboard_
    assert not other.score.equals(boards[0].score)


@pytest.mark.slow
def test_search_uses_worker_processes(folder):
    search = make(TREE, n_trials=6, n_jobs=2, random_state=1).fit(*small())
    assert (search.leaderboard_.state == "complete").sum() >= 1
    assert search.leaderboard_.trial.count() == 6


def test_search_accepts_arrays_and_boolean_targets(folder):
    X, y = cancer()
    search = make(TREE, n_trials=3).fit(X.to_numpy(), y.to_numpy() == "benign")
    assert list(search.classes_) == [False, True]
    assert search.predict(X.to_numpy()).dtype == bool
    assert list(search.feature_names_in_[:2]) == ["x0", "x1"]


def test_search_ends_at_the_timeout(folder, monkeypatch):
    skipped = [0.0]

    def skip_an_hour(study, trial):
        skipped[0] += 3600 * (trial.state == TrialState.COMPLETE)

    clock = partial(Budget, clock=lambda: time.monotonic() + skipped[0])
    monkeypatch.setattr("automl.search.estimator.Budget", clock)
    search = make(n_trials=None, timeout=3600, n_jobs=1, callbacks=[skip_an_hour]).fit(*small())
    assert search.leaderboard_.state.eq("complete").any()
    assert skipped[0] >= 3600  # no other limit is set


def test_search_without_refit_has_no_estimator(folder):
    search = make(TREE, n_trials=2, refit=False).fit(*small())
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(automl.NoModelError, match="refit=False"):
        search.predict(small()[0])


def test_search_reads_a_space_file(folder):
    (folder / "mine.yaml").write_text(
        "name: mine\nspace:\n  model:\n    choice:\n      decision_tree: {max_depth: [2, 3]}\n"
    )
    search = make("mine.yaml", n_trials=2).fit(*small())
    assert set(search.leaderboard(wide=True)["model.decision_tree.max_depth"].dropna()) <= {2, 3}


def test_search_raises_the_reason_when_all_trials_fail(folder, monkeypatch):
    def broken(*_, **__):
        raise MemoryError("no room for a tree")

    monkeypatch.setattr("sklearn.tree.DecisionTreeClassifier.fit", broken)
    with pytest.raises(automl.NoModelError, match="no room for a tree"):
        make(TREE, n_trials=2).fit(*small())


def test_search_clones_and_has_a_repr():
    from sklearn.base import clone

    search = clone(make(n_trials=7))
    assert search.get_params()["n_trials"] == 7
    assert "Search(" in repr(search)


def test_search_fits_twice_without_old_attributes(folder):
    X, y = penguins()
    search = make(TREE, n_trials=2).fit(X, y)
    mass = X["Body Mass (g)"].fillna(4000.0) + np.random.default_rng(0).random(len(X))
    search.set_params(refit=False).fit(X, mass.rename("mass"))
    assert search.task_ == "regression"
    for name in ("best_estimator_", "classes_", "model_uri_"):
        assert not hasattr(search, name)
    with pytest.raises(automl.TableError):
        search.set_params(drop_missing_target=False).fit(X, y.where(y != "Adelie"))
    assert not hasattr(search, "best_trial_")


def test_search_accepts_splits_without_one_class(folder):
    X, y = small(60)
    y = y.map({True: "up", False: "down"})
    y.iloc[:3] = "rare"
    splits = [(np.arange(10, 60), np.arange(10)), (np.arange(40), np.arange(40, 60))]
    search = make(TREE, n_trials=2, cv=splits).fit(X, y)
    assert list(search.classes_) == ["down", "rare", "up"]


def test_search_interrupted_without_a_score_marks_its_run_killed(folder, monkeypatch):
    def interrupted(loop, *_):
        loop._interrupt.note()

    monkeypatch.setattr("automl.search.loop.Loop.run", interrupted)
    search = make(TREE, n_trials=2)
    with pytest.raises(automl.NoModelError, match="no trial has a score"):
        search.fit(*small())
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_)
    assert run.info.status == "KILLED"


def test_search_reports_excluded_columns_and_values(folder, capsys):
    X, y = penguins()
    X["note"] = [f"penguin number {i} was on the ice" for i in range(len(X))]
    space = """
space:
  model:
    choice:
      linear: {loss: [logistic, hinge]}
      mlp: {loss: [softmax, logistic], max_epochs: 2}
      decision_tree: {max_depth: 2}
      margin: {estimator: sklearn.linear_model.LogisticRegression, solver: liblinear}
      numbers: {estimator: sklearn.linear_model.Ridge}
"""
    search = make(space, n_trials=4, progress=True).fit(X, y)
    reasons = [
        "column Region: a single value, or none; give rows where",
        "column Stage: a single value",
        "column note: free text",
        "linear: loss logistic is for binary, not for multiclass; loss hinge gives no probabilities",
        "mlp with loss: logistic: loss logistic is for binary",
        "numbers: Ridge is no classifier",
        "margin: The 'liblinear' solver does not support multiclass",
    ]
    assert [text[: len(start)] for text, start in zip(search.left_out_, reasons, strict=True)] == reasons
    assert (search.leaderboard_["state"] != "failed").all()
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_)
    assert run.data.tags["automl.left_out"] == "; ".join(search.left_out_)
    shown = capsys.readouterr().err
    assert [shown.count(f"left out: {start}") for start in reasons] == [1] * len(reasons)


@pytest.mark.parametrize("missing", [False, True])
def test_search_excludes_irrelevant_preprocessing(folder, missing):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    y = (X["a"] > 0).rename("up")
    X.loc[3, "b"] = np.nan if missing else 0
    impute = {"impute": ["mean", "median"], "scale": ["none", "robust"]}
    preprocess = {"numeric": impute, "categorical": {"encode": ["onehot", "ordinal"]}}
    search = make({"space": {"preprocess": preprocess, **TREE["space"]}}, n_trials=12).fit(X, y)
    reasons = ["preprocess.categorical.encode: the table has no categorical column"]
    reasons += [] if missing else ["preprocess.numeric.impute: the table has no missing number"]
    assert search.left_out_ == reasons
    params = {"preprocess.numeric.scale", *(["preprocess.numeric.impute"] if missing else [])}
    assert {name for name in search.study_.best_params if name.startswith("preprocess")} == params
    mean = {"space": {"preprocess": {"numeric": {"impute": ["mean", "most_frequent"]}}, **TREE["space"]}}
    assert make(mean, n_trials=1).fit(X, y).left_out_ == []  # new rows may have missing values


def test_search_encodes_free_text_if_the_space_allows(folder):
    rng = np.random.default_rng(0)
    words = ["the", "flight", "was", "seen", "over", "sea", "and", "land", "again"]
    late = rng.random(150) < 0.5
    notes = [" ".join([*rng.choice(words, 6), "snow" if is_late else "sun"]) for is_late in late]
    X, y = pd.DataFrame({"note": notes}), pd.Series(np.where(late, "late", "in time"), name="when")
    X.loc[5, "note"] = None
    with pytest.raises(automl.TableError, match="or a space with `text: {encode: tfidf}`"):
        make(TREE).fit(X, y)
    space = {"space": {"preprocess": {"text": {"encode": "tfidf", "max_words": [20, 40]}}, **TREE["space"]}}
    search = make(space, n_trials=3, pruner="none").fit(X, y)
    assert (trial_rows(search.leaderboard_)["state"] == "complete").all()
    assert search.best_score_ > 0.95
    assert search.left_out_ == []
    space["space"]["preprocess"]["text"]["encode"] = ["drop", "tfidf"]
    without = make(space, n_trials=6, pruner="none").fit(X, y)
    assert (trial_rows(without.leaderboard_)["state"] == "complete").all()
    reason = "preprocess.text.encode: drop: the table has nothing but free text"
    assert without.left_out_ == [reason]
    assert make(space, n_trials=1).fit(X.assign(n=rng.normal(size=150)), y).left_out_ == []
    assert (search.predict(X) == y).mean() > 0.95
    model = automl.load_model(search.export(folder / "model"))
    np.testing.assert_array_equal(model.predict(X), search.predict(X))


def test_search_reports_within_epochs_on_large_tables(folder):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(16_000, 2))
    space = {
        "space": {"model": {"choice": {"linear": {"max_epochs": 2}, "random_forest": {"n_estimators": 9}}}}
    }
    search = automl.Search(space=space, n_trials=2, n_jobs=1, progress=False, refit=False).fit(X, X[:, 0] > 0)
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_)
    assert run.data.tags["automl.epoch_steps"] == "2"
    curves = {record.family: record.curve for record in read_records(search.study_)}
    assert curves["linear"].rungs == (1, 2, 4)
    assert curves["random_forest"].rungs == (2, 4)
    assert trial_rows(search.leaderboard(wide=True))["epochs"].tolist() == [2, 2]
