"""The public list of types, for the user's own use of MLflow and skops."""

from __future__ import annotations

import numpy as np
import pytest

import automl
from tests.support.tables import small


@pytest.fixture(scope="module", params=["lightgbm", "catboost", "xgboost"])
def winner(request, tmp_path_factory):
    """A search with a winner of a library, and its rows."""
    pytest.importorskip(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("boosting"))
        X, y = small()
        model = {request.param: {"n_estimators": 3}}
        settings = {"n_trials": 1, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False}
        yield automl.Search({"space": {"model": model}}, **settings).fit(X, y), X


@pytest.mark.slow
def test_boosting_winners_load_without_a_word(winner, tmp_path):
    search, X = winner
    folder = search.export(tmp_path / "model")
    np.testing.assert_array_equal(automl.load_model(folder).predict(X), search.predict(X))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of MLflow
def test_user_logs_and_loads_the_best_estimator(winner, tmp_path):
    import mlflow
    import skops.io

    search, X = winner
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mine.db")
    with mlflow.start_run(experiment_id="0"):  # not of a search in this process
        info = mlflow.sklearn.log_model(
            search.best_estimator_,
            name="mine",
            serialization_format="skops",
            skops_trusted_types=automl.trusted_types(),
            pip_requirements=[],  # to infer them, MLflow would load the model in another process
        )
    loaded = mlflow.sklearn.load_model(info.model_uri)
    np.testing.assert_array_equal(loaded.predict(X), search.best_estimator_.predict(X))
    skops.io.dump(search.best_estimator_, tmp_path / "model.skops")
    loaded = skops.io.load(tmp_path / "model.skops", trusted=automl.trusted_types())
    np.testing.assert_array_equal(loaded.predict(X), search.best_estimator_.predict(X))


def test_trusted_types_names_no_functions():
    names = automl.trusted_types()
    assert names == sorted(set(names))
    assert {"lightgbm.sklearn.LGBMClassifier", "automl.table.columns.TypedColumns"} <= set(names)
    assert not [name for name in names if name.startswith(("builtins.", "operator.", "functools."))]
