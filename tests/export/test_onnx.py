"""Pipelines as ONNX models: onnxruntime predicts what the pipeline predicts."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

import automl
from automl.cli import main
from automl.ensemble import CalibratedClassifier, EnsembleClassifier
from automl.export import onnx_inputs, save_onnx
from automl.families import FAMILIES, Problem
from automl.families.transformed import transformed
from automl.table import TypedColumns, preprocessor

N = 240


def table() -> pd.DataFrame:
    """Numbers with gaps and far values, booleans, and categories: few, many, numeric, with gaps."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(N) < 0.1, np.nan, rng.lognormal(3, 2, N)),
            "exact": rng.normal(1e6, 1, N),
            "whole": rng.integers(0, 5, N).astype(float),
            "flag": rng.random(N) < 0.5,
            "kind": rng.choice(["a", "b", "c", None], N),
            "town": [f"Town {i}" for i in rng.integers(0, 60, N)],
        }
    )


def new_rows() -> pd.DataFrame:
    """Other rows: missing values in every column, unseen categories, infinite numbers."""
    X = table().iloc[::-1].reset_index(drop=True)
    X["flag"] = X["flag"].astype("boolean")
    for place, name in enumerate(X.columns):
        X.loc[place::9, name] = None
    X.loc[3::11, "kind"] = "unseen"
    X.loc[4::13, "size"] = np.inf
    X.loc[5::13, "whole"] = 77.0
    return X


def targets(task: str) -> np.ndarray:
    X = table()
    score = X["size"].fillna(20).clip(0, 90) / 30 + X["flag"] + (X["kind"] == "a") * 2 + X["whole"] / 2
    if task == "regression":
        return score.to_numpy() * 1000 + 5
    labels = np.digitize(score, [3.0] if task == "binary" else [2.5, 4.0])
    return labels if task == "multiclass" else np.array(["no", "yes"], dtype=object)[labels]


def fitted(task: str, family: str, params: dict, preprocess: dict) -> Pipeline:
    """Return a pipeline as a search makes it."""
    X, y = table(), targets(task)
    columns = TypedColumns().fit(X)
    typed = columns.transform(X)
    encode = preprocess.get("categorical", {}).get("encode")
    categories = {"native": (255, 255), "embed": (34, 34)}.get(encode, ())
    classes = [] if task == "regression" else sorted(set(y))
    problem = Problem(task, len(classes), categories=categories)
    model = transformed(FAMILIES[family], preprocess).estimator(params, 0, problem)
    prepare = preprocessor(preprocess, columns.column_types_, task=task)
    pipeline = Pipeline([("columns", columns), ("prepare", prepare), ("model", model)])
    codes = np.searchsorted(classes, y) if classes else y
    pipeline[-1].fit(prepare.fit_transform(typed, codes), y)
    return pipeline


def assert_agrees(model, file):
    """Compare the predictions for training rows and for new ones."""
    session = onnxruntime.InferenceSession(file)
    inner = getattr(model, "model_", model)
    columns = inner.columns_ if hasattr(inner, "columns_") else inner.steps[0][1]
    for X in (table(), new_rows()):
        found = dict(
            zip(
                [one.name for one in session.get_outputs()],
                session.run(None, onnx_inputs(columns, X)),
                strict=True,
            )
        )
        if is_classifier(model):
            np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), rtol=0, atol=1e-5)
            assert found["label"].tolist() == model.predict(X).tolist()
        else:
            wanted = model.predict(X)
            np.testing.assert_allclose(found["prediction"], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


EPOCHS = {"max_epochs": 3, "learning_rate": 0.01}
TREES = {"n_estimators": 8}
KEEP = {"numeric": {"impute": "none", "scale": "none"}}
NATIVE = {**KEEP, "categorical": {"encode": "native"}}
FORESTS = {"numeric": {"scale": "none"}, "categorical": {"encode": "ordinal"}}
CASES = {
    "linear": ("linear", EPOCHS, {}),
    "linear robust target": (
        "linear", EPOCHS, {"numeric": {"scale": "robust", "impute": "mean"}, "categorical": {"encode": "target"}},
    ),
    "quick_linear minmax": ("quick_linear", {}, {"numeric": {"scale": "minmax"}}),
    "mlp": ("mlp", {**EPOCHS, "hidden_layer_sizes": [16, 8], "activation": "relu"}, {}),
    "mlp squash scale mish": (
        "mlp",
        {**EPOCHS, "hidden_layer_sizes": [8], "activation": "mish", "input_layer": "scale"},
        {"numeric": {"scale": "squash"}, "categorical": {"encode": "target_count"}},
    ),
    "mlp embedding batch gelu": (
        "mlp",
        {**EPOCHS, "hidden_layer_sizes": [8], "activation": "gelu", "normalization": "batch",
         "input_layer": "embedding"},
        {"categorical": {"encode": "embed"}},
    ),
    "mlp layer selu": (
        "mlp", {**EPOCHS, "hidden_layer_sizes": [8], "activation": "selu", "normalization": "layer"}, {},
    ),
    "mlp silu": ("mlp", {**EPOCHS, "hidden_layer_sizes": [8], "activation": "silu"}, {}),
    "decision_tree": ("decision_tree", {}, {**KEEP, "categorical": {"encode": "ordinal"}}),
    "random_forest": ("random_forest", TREES, FORESTS),
    "extra_trees discrete": ("extra_trees", TREES, {"numeric": {"discrete": "target"}}),
    "hist_gradient_boosting native": ("hist_gradient_boosting", {"max_iter": 12}, NATIVE),
    "hist_gradient_boosting pairs": (
        "hist_gradient_boosting", {"max_iter": 5}, {**KEEP, "features": {"pairs": {"max_categorical": 0}}},
    ),
    "lightgbm native": ("lightgbm", {**TREES, "min_data_per_group": 5, "cat_smooth": 1.0}, NATIVE),
    "lightgbm counts": (
        "lightgbm", TREES,
        {"numeric": {"impute": "none", "discrete": "onehot"}, "categorical": {"high_cardinality": "target_count"}},
    ),
    "xgboost": ("xgboost", TREES, {**KEEP, "categorical": {"encode": "ordinal"}}),
    "catboost": ("catboost", TREES, {**KEEP, "categorical": {"encode": "target_count"}}),
}  # fmt: skip


# The tasks of each case: together they reach every branch of the conversion.
TASKS = {
    "linear": "binary multiclass",
    "linear robust target": "multiclass regression",
    "quick_linear minmax": "multiclass",
    "mlp": "regression",
    "mlp squash scale mish": "binary",
    "mlp embedding batch gelu": "multiclass",
    "mlp layer selu": "regression",
    "mlp silu": "binary",
    "decision_tree": "multiclass regression",
    "random_forest": "multiclass",
    "extra_trees discrete": "binary regression",
    "hist_gradient_boosting native": "binary multiclass",
    "hist_gradient_boosting pairs": "regression",
    "lightgbm native": "multiclass regression",
    "lightgbm counts": "binary",
    "xgboost": "binary multiclass regression",
    "catboost": "binary multiclass regression",
}


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, tasks in TASKS.items() for task in tasks.split()]
)
def test_onnx_predicts_like_the_pipeline(tmp_path, name, task):
    family, params, preprocess = CASES[name]
    if family in ("xgboost", "catboost"):
        pytest.importorskip(family)
    model = fitted(task, family, params, preprocess)
    assert_agrees(model, save_onnx(model, tmp_path / "model.onnx", table(), {"task": task}))


@pytest.mark.parametrize("transform", ["log", "clip"])
def test_onnx_transforms_the_target(tmp_path, transform):
    model = fitted("regression", "decision_tree", {"max_depth": 4}, {"target": {"transform": transform}})
    assert_agrees(model, save_onnx(model, tmp_path / "model.onnx", table(), {}))


def test_onnx_averages_an_ensemble(tmp_path):
    cases = ("random_forest", "mlp", "hist_gradient_boosting native")
    members = [fitted("multiclass", *CASES[name]) for name in cases]
    model = EnsembleClassifier.of_fitted(members[0][0], [one[1:] for one in members], [1, 2, 3])
    assert_agrees(model, save_onnx(model, tmp_path / "model.onnx", table(), {}))


@pytest.mark.parametrize(
    ("task", "shift", "threshold", "positive"), [("binary", 0.4, 0.3, 0), ("multiclass", 0, None, 1)]
)
def test_onnx_calibrates_and_has_the_threshold(tmp_path, task, shift, threshold, positive):
    members = [fitted(task, *CASES[name]) for name in ("random_forest", "linear")]
    both = EnsembleClassifier.of_fitted(members[0][0], [one[1:] for one in members], [1, 1])
    model = CalibratedClassifier.of_fitted(both, 0.7, shift, threshold, positive)
    assert threshold is None or (model.predict(table()) != both.predict(table())).any()
    assert_agrees(model, save_onnx(model, tmp_path / "model.onnx", table(), {}))


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_onnx_gives_scores_where_there_are_no_probabilities(tmp_path, task):
    model = fitted(task, "linear", {**EPOCHS, "loss": "hinge"}, {})
    other = Pipeline(
        [*model.steps[:2], ("model", LinearSVC().fit(model[:2].transform(table()), targets(task)))]
    )
    for number, one in enumerate((model, other)):
        session = onnxruntime.InferenceSession(
            save_onnx(one, tmp_path / f"{number}.onnx", table(), {"task": task})
        )
        label, scores = session.run(["label", "scores"], onnx_inputs(one[0], new_rows()))
        wanted = one.decision_function(new_rows())
        atol = 1e-5 * np.abs(wanted).max()
        np.testing.assert_allclose(scores.reshape(wanted.shape), wanted, rtol=0, atol=atol)
        assert label.tolist() == one.predict(new_rows()).tolist()


def test_member_without_a_form_in_onnx_is_named(tmp_path):
    members = [
        fitted("binary", "decision_tree", {}, {"numeric": {"scale": scale}}) for scale in ("none", "quantile")
    ]
    model = EnsembleClassifier.of_fitted(members[0][0], [one[1:] for one in members], [1, 1])
    with pytest.raises(automl.SettingError, match=r'member 2 of 2, step "prepare".*what="best"'):
        save_onnx(model, tmp_path / "model.onnx", table(), {})


UNKNOWN = {
    "block": (
        "decision_tree",
        {},
        {"categorical": {"encode": "string"}},
        'step "prepare", block "categorical": StringVectors',
    ),
    "scaler": (
        "decision_tree",
        {},
        {"numeric": {"scale": "quantile"}},
        'step "prepare", block "numeric": GaussianRank',
    ),
    "features": ("linear", EPOCHS, {"features": "rbf"}, 'step "prepare", RBFSampler'),
    "model": ("catboost", TREES, NATIVE, 'step "model", CatBoostClassifier with native categories'),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_step_without_a_form_in_onnx_is_named(tmp_path, name):
    family, params, preprocess, expected = UNKNOWN[name]
    model = fitted("binary", family, params, preprocess)
    with pytest.raises(automl.SettingError) as raised:
        save_onnx(model, tmp_path / "model.onnx", table(), {})
    assert expected in str(raised.value)
    assert not (tmp_path / "model.onnx").exists()


def test_column_without_a_form_in_onnx_is_named(tmp_path):
    X = table().assign(day=pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N), "D"))
    columns = TypedColumns().fit(X)
    prepare = preprocessor({}, columns.column_types_, task="binary")
    model = FAMILIES["decision_tree"].estimator({}, 0, Problem("binary", 2))
    pipeline = Pipeline([("columns", columns), ("prepare", prepare), ("model", model)]).fit(
        X, targets("binary")
    )
    with pytest.raises(automl.SettingError, match='column "day", which holds datetime values'):
        save_onnx(pipeline, tmp_path / "model.onnx", X, {})


def test_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_text("mine")
    model = fitted("binary", "decision_tree", {}, {})
    with pytest.raises(automl.SettingError, match="the ONNX file: must be new"):
        save_onnx(model, tmp_path / "model.onnx", table(), {})
    assert (tmp_path / "model.onnx").read_text() == "mine"


def test_wrong_predictions_are_an_error(tmp_path, monkeypatch):
    model = fitted("binary", "decision_tree", {"max_depth": 3}, {})
    truth = type(model[-1]).predict_proba
    monkeypatch.setattr(type(model[-1]), "predict_proba", lambda self, X: truth(self, X)[:, ::-1])
    with pytest.raises(automl.StoreError, match="the ONNX model predicts other values"):
        save_onnx(model, tmp_path / "model.onnx", table(), {})


def test_search_and_shell_export_onnx(folder, monkeypatch, capsys):
    X, y = table().drop(columns="town"), targets("binary")
    space = {"space": {"model": {"lightgbm": {"n_estimators": 5}}}}
    settings = {"n_trials": 1, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False}
    search = automl.Search(space, **settings).fit(X, y)
    with pytest.raises(automl.SettingError, match="format: must be one of mlflow, onnx; got 'pmml'"):
        search.export("model.pmml", format="pmml")
    monkeypatch.setattr(sys, "argv", ["automl", "export", search.run_id_, "shell.onnx", "--format", "onnx"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code, capsys.readouterr()
    for file in (search.export("model.onnx", format="onnx"), "shell.onnx"):
        session = onnxruntime.InferenceSession(file)
        inputs = onnx_inputs(search.best_estimator_[0], X)
        np.testing.assert_allclose(
            session.run(["probabilities"], inputs)[0], search.predict_proba(X), rtol=0, atol=1e-5
        )
        metadata = json.loads(session.get_modelmeta().custom_metadata_map["automl"])
        assert metadata["task"] == "binary"
        assert metadata["classes"] == ["no", "yes"]


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(automl.SettingError, match=r"pip install 'automl-orchestrator\[onnx\]'"):
        save_onnx(None, tmp_path / "model.onnx", table(), {})
