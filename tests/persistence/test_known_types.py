from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from automl.persistence import KNOWN_TYPES, load_skops, needed_types
from tests.support import known_types

Models = list[tuple[str, Any]]
one_worker = pytest.mark.xdist_group("known types")  # the models are fitted once


@pytest.fixture(scope="module")
def pipelines() -> Models:
    return list(known_types.pipelines())


@pytest.fixture(scope="module")
def sklearn_models() -> Models:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(known_types.sklearn_models())


@pytest.mark.slow
@one_worker
def test_known_types_cover_all_families_and_preprocessing(pipelines: Models, tmp_path: Path) -> None:
    X = known_types.table()
    for name, pipeline in pipelines:
        file = tmp_path / "model.skops"
        file.unlink(missing_ok=True)  # a new file is written faster
        skops.io.dump(pipeline, file)
        assert set(needed_types(file)) <= KNOWN_TYPES, name
        np.testing.assert_array_equal(load_skops(file).predict(X), pipeline.predict(X))


def test_known_types_cover_sparse_tables(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    skops.io.dump(known_types.sparse_pipeline(), file)
    assert set(needed_types(file)) <= KNOWN_TYPES


@pytest.mark.slow
@one_worker
@pytest.mark.filterwarnings("ignore")
def test_known_types_load_every_sklearn_model_of_a_space(sklearn_models: Models, tmp_path: Path) -> None:
    X = np.random.default_rng(0).random((known_types.ROWS, 4))
    for name, model in sklearn_models:
        file = tmp_path / "model.skops"
        skops.io.dump(model, file)
        np.testing.assert_array_equal(load_skops(file).predict(X), model.predict(X), err_msg=name)


@pytest.mark.slow
@one_worker
def test_known_types_are_as_the_script_writes_them(pipelines: Models, sklearn_models: Models) -> None:
    found = known_types.collect([*pipelines, ("sparse", known_types.sparse_pipeline()), *sklearn_models])
    assert sorted(KNOWN_TYPES) == found, "run: python -m tests.support.known_types"


def test_known_types_hold_no_functions() -> None:
    assert all(known_types.is_type(name) for name in KNOWN_TYPES)


@pytest.mark.parametrize("package", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_boosting_needs_trust_in_its_package_only(package: str, kind: str, tmp_path: Path) -> None:
    module = pytest.importorskip(package)
    prefix = {"lightgbm": "LGBM", "xgboost": "XGB", "catboost": "CatBoost"}[package]
    options = {"catboost": {"iterations": 2, "verbose": False, "allow_writing_files": False}}
    model = getattr(module, prefix + kind)(**options.get(package, {"n_estimators": 2}))
    X = np.random.default_rng(0).random((40, 3))
    model.fit(X, np.arange(40) % 2)
    skops.io.dump(model, tmp_path / "model.skops")
    foreign = set(skops.io.get_untrusted_types(file=tmp_path / "model.skops")) - KNOWN_TYPES
    assert {name.partition(".")[0] for name in foreign} <= {package, "_catboost"}
