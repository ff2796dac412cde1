from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from automl import __version__
from automl.errors import InputError, NoModelError, SettingError, StoreError
from automl.export import export_run, load_model, model_metadata, save_model
from automl.persistence import needed_types
from automl.records import SearchRecord, TrialRecord
from automl.table import TypedColumns, preprocessor
from automl.tracking import Tracker
from tests.support import ROOT

Fit = Callable[[str], Pipeline]
METADATA = {"task": "binary", "target": "late", "classes": ["in time", "late"], "scoring": "roc_auc"}


@pytest.mark.parametrize("name", ["logistic", "boosting", "ridge"])
def test_load_model_in_a_new_process(name: str, fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    pipeline = fit(name)
    folder = save_model(pipeline, tmp_path / "new" / "model", table, METADATA)
    table.to_parquet(tmp_path / "table.parquet")
    script = (
        "import sys, numpy, pandas\n"
        "from automl.export import load_model\n"
        "model, X = load_model('new/model'), pandas.read_parquet('table.parquet')\n"
        "numpy.save('labels.npy', model.predict(X).astype(str))\n"
        "if hasattr(model, 'predict_proba'): numpy.save('probabilities.npy', model.predict_proba(X))\n"
        "assert 'mlflow' not in sys.modules, 'reading a folder needs no MLflow'\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert folder == tmp_path / "new" / "model"
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), pipeline.predict(table).astype(str))
    if name != "ridge":
        np.testing.assert_array_equal(np.load(tmp_path / "probabilities.npy"), pipeline.predict_proba(table))


def test_save_model_writes_an_mlflow_model(fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    import mlflow.pyfunc

    pipeline = fit("logistic")
    folder = save_model(pipeline, tmp_path / "model", table, METADATA)
    served = mlflow.pyfunc.load_model(str(folder))
    assert set(served.metadata.get_input_schema().input_names()) == set(table.columns)
    gaps = table.astype({"kind": str})  # MLflow knows text, but no categories
    gaps.loc[3, ["colour", "kind"]] = None
    np.testing.assert_array_equal(served.predict(gaps), pipeline.predict(gaps))
    assert len(served.input_example) == 5
    requirements = (folder / "requirements.txt").read_text()
    assert "automl" not in requirements  # the model carries its code
    assert "scikit-learn==" in requirements


_N = 12
_UNKNOWN: dict[str, Any] = {
    "time": [datetime.time(hour) for hour in range(_N)],
    "decimal": [Decimal(i) for i in range(_N)],
    "interval": pd.cut(np.arange(_N), 3),
    "period": pd.period_range("2020-01", periods=_N, freq="M"),
    "mixed": [i if i % 2 else str(i) for i in range(_N)],
    "sparse": pd.arrays.SparseArray(np.arange(_N) / 2),
    "elapsed": pd.to_timedelta(np.arange(_N), "D"),
    "unsigned": np.arange(_N, dtype=np.uint64),
}


@pytest.mark.parametrize("name", _UNKNOWN)
def test_save_model_of_unknown_column_types(name: str, tmp_path: Path) -> None:
    X = pd.DataFrame({name: _UNKNOWN[name], "x": np.arange(_N)})
    model = DummyClassifier().fit(X, np.arange(_N) % 2)
    np.testing.assert_array_equal(
        load_model(save_model(model, tmp_path / "model", X, {})).predict(X), model.predict(X)
    )


@pytest.mark.parametrize("name", _UNKNOWN)
def test_input_example_predicts_like_the_table(name: str, tmp_path: Path) -> None:
    import mlflow.pyfunc

    X = pd.concat([pd.DataFrame({name: _UNKNOWN[name]})] * 5, ignore_index=True)
    columns = TypedColumns()
    y = np.arange(len(X)) % _N > 2
    prepare = preprocessor({"categorical": {"encode": "onehot"}}, columns.fit(X).column_types_)
    model = Pipeline([("columns", columns), ("prepare", prepare), ("model", DecisionTreeClassifier())]).fit(
        X, y
    )
    served = mlflow.pyfunc.load_model(str(save_model(model, tmp_path / "model", X, {})))
    example = X.head(len(served.input_example))
    np.testing.assert_array_equal(served.predict(served.input_example), model.predict(example))
    assert len(set(model.predict(example))) == 2


def test_save_model_translates_mlflow_errors(
    fit: Fit, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException

    def fail(*args: Any, **kwargs: Any) -> None:
        raise MlflowException("no such schema")

    monkeypatch.setattr(mlflow.sklearn, "save_model", fail)
    with pytest.raises(StoreError, match="the model cannot be written: no such schema"):
        save_model(fit("ridge"), tmp_path / "model", table, METADATA)


def test_needed_types_trusts_containers(tmp_path: Path) -> None:
    import skops.io

    skops.io.dump(defaultdict(OrderedDict), tmp_path / "x.skops")
    assert needed_types(tmp_path / "x.skops") == ["collections.OrderedDict"]


def test_model_metadata_returns_the_metadata(fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    given = {**METADATA, "classes": np.array(["in time", "late"]), "n_rows": np.int64(120)}
    folder = save_model(fit("logistic"), tmp_path / "model", table, given)
    assert model_metadata(folder) == {**METADATA, "n_rows": 120, "automl_version": __version__}


@pytest.mark.parametrize("what", ["a file", "a folder with something in it"])
def test_save_model_overwrites_nothing(what: str, fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model"
    if what == "a file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "mine").write_text("mine")
    with pytest.raises(SettingError, match="the folder of a model: must be new or empty"):
        save_model(fit("logistic"), path, table, METADATA)
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_save_model_fills_empty_folders(fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    load_model(save_model(fit("logistic"), tmp_path / "model", table, METADATA))


def test_load_model_needs_trust_in_foreign_types(table: pd.DataFrame, tmp_path: Path) -> None:
    X, y = table[["count"]], table["count"] * 2.0
    pipeline = make_pipeline(FunctionTransformer(os.path.basename), LinearRegression())
    pipeline.steps[1][1].fit(X, y)
    with pytest.raises(
        SettingError, match=r"known types of scikit-learn and automl only; got posixpath.basename"
    ):
        save_model(pipeline, tmp_path / "model", X, METADATA)
    assert not list(tmp_path.iterdir())  # nothing half written stays behind

    # A folder that lists a type itself is not believed.
    folder = save_model(LinearRegression().fit(X, y), tmp_path / "model", X, METADATA)
    import skops.io

    skops.io.dump(pipeline, folder / "model.skops")
    content = yaml.safe_load((folder / "MLmodel").read_text())
    content["flavors"]["sklearn"]["skops_trusted_types"] = ["posixpath.basename"]
    (folder / "MLmodel").write_text(yaml.safe_dump(content))
    with pytest.raises(SettingError, match=r"pass them: trusted=\['posixpath.basename'\]"):
        load_model(folder)
    assert len(load_model(folder, trusted=["posixpath.basename"])) == 2


def test_load_model_warns_of_other_versions(fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    folder = save_model(fit("logistic"), tmp_path / "model", table, METADATA)
    content = yaml.safe_load((folder / "MLmodel").read_text())
    content["metadata"]["automl_version"] = "99.1.0"
    (folder / "MLmodel").write_text(yaml.safe_dump(content))
    with pytest.warns(UserWarning, match=r"written with automl-orchestrator 99\.1\.0, this is automl"):
        load_model(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be a folder that exists"),
        ({}, "must be an MLflow model folder"),
        ({"MLmodel": "just text"}, "must be a YAML mapping"),
        ({"MLmodel": "flavors: {sklearn: {serialization_format: pickle}}"}, "model in skops format"),
        (
            {"MLmodel": "flavors: {sklearn: {serialization_format: skops, pickled_model: model.skops}}"},
            "must hold model.skops",
        ),
    ],
)
def test_load_model_refuses_other_folders(
    content: dict[str, str] | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "model").mkdir()
        for name, text in content.items():
            (tmp_path / "model" / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "model")


def test_log_model_registers_and_export_run_copies(fit: Fit, table: pd.DataFrame, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    tracker = Tracker(uri)
    search = SearchRecord(
        study_name="s",
        task="binary",
        target="late",
        scoring="roc_auc",
        space="tabular",
        space_digest="",
        n_rows=120,
        n_columns=6,
        n_folds=3,
        random_state=0,
    )
    parent_id = tracker.start(search, {})
    for number in range(2):
        tracker.log_trial(
            TrialRecord(number=number, configuration={}, params={}, seed=0, state="complete", family="linear")
        )
    pipeline = fit("boosting")
    model_uri = tracker.log_model(pipeline, table, registered_model_name="flights", metadata=METADATA)
    second_uri = tracker.log_model(pipeline, table, registered_model_name="flights", metadata=METADATA)
    tracker.log_best(1, {"best_score": 0.5})
    tracker.close("finished")

    client = MlflowClient(uri)
    model = client.get_logged_model(model_uri.removeprefix("models:/"))
    assert (model.source_run_id, str(model.status)) == (parent_id, "READY")
    assert f"models:/{client.get_run(parent_id).outputs.model_outputs[0].model_id}" in (model_uri, second_uri)
    assert [v.version for v in client.search_model_versions("name='flights'")] == [2, 1]
    assert [path.name for path in (tmp_path / "mlruns").iterdir() if path.is_dir()] == ["artifacts"]

    winner = str(tracker.run_id(1))
    for number, run_id in enumerate((parent_id, winner)):
        folder = export_run(run_id, tmp_path / f"exported{number}", uri)
        np.testing.assert_array_equal(load_model(folder).predict(table), pipeline.predict(table))
        assert model_metadata(folder)["scoring"] == "roc_auc"
    for place in (model_uri, "models:/flights/1", "models:/flights@champion"):
        np.testing.assert_array_equal(
            load_model(place, tracking_uri=uri).predict_proba(table), pipeline.predict_proba(table)
        )
    with pytest.raises(StoreError, match="models:/m-none cannot be read from"):
        load_model("models:/m-none", tracking_uri=uri)
    with pytest.raises(NoModelError, match=parent_id):
        export_run(str(tracker.run_id(0)), tmp_path / "other", uri)
    assert not (tmp_path / "other").exists()
