"""Bad input raises one clear error before training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import automl
from automl.study import load_study, read_records
from tests.support.tables import small

X, y = small()
TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": 2}}}}}
ONLY_HINGE = {"space": {"model": {"choice": {"linear": {"loss": "hinge"}}}}}


def with_missing(count):
    target = y.astype(object)
    target.iloc[:count] = None
    return target


REAL = pd.Series(np.linspace(0, 1, len(X)), name="height")

WITHOUT_INFORMATION = pd.DataFrame({"same": ["s"] * 60, "empty": [None] * 60})

BAD_INPUT = {
    "target with missing values": (
        (X, with_missing(3)), {"drop_missing_target": False}, automl.TableError, r"3 of 60 rows",
    ),
    "study name with NUL": (
        (X, y), {"study_name": "a\0b"}, automl.SettingError, r"study_name: must hold no control characters",
    ),
    "one class": ((X, y == 7), {}, automl.TableError, r'"up".*(two classes|one class)'),
    "class with fewer rows than folds": (
        (X, ["rare"] * 2 + ["a"] * 28 + ["b"] * 30), {"cv": 5}, automl.TableError, r"'rare' with 2",
    ),
    "fewer than ten rows": ((X.head(9), y.head(9)), {}, automl.TableError, r"10 rows.*9"),
    "duplicate column names": ((X.set_axis(["a", "a"], axis=1), y), {}, automl.TableError, r'"a"'),
    "infinite target": ((X, REAL.replace(1.0, np.inf)), {}, automl.TableError, r'"height".*finite'),
    "only constants": ((WITHOUT_INFORMATION, y), {}, automl.TableError, r'"same" \(constant\)'),
    "target among the columns": (
        (X.assign(up=y), y), {}, automl.TableError, r'target "up": must not be among.*fit\(X, "up"\)',
    ),
    "target of another name": ((X, "upp"), {}, automl.TableError, r'y: the target must be a column.*"upp"'),
    "type of no column": (
        (X, y), {"columns": {"aa": "numeric"}}, automl.TableError, r'columns: must name columns.*Did you mean "a"',
    ),
    "unknown type": (
        (X, y), {"columns": {"a": "number"}}, automl.TableError, r'columns\["a"\]: must be one of numeric,.*"numeric"',
    ),
    "types that are no dict": ((X, y), {"columns": ["a"]}, automl.SettingError, r"columns: must be"),
    "other lengths": ((X.head(50), y), {}, automl.TableError, r"50.*60|60.*50"),
    "unknown space": ((X, y), {"space": "tabluar"}, automl.SpaceError, r'tabluar.*"tabular"'),
    "faulty space": ((X, y), {"space": {"space": {"modle": 1}}}, automl.SpaceError, r'modle.*"model"'),
    "no family for the task": ((X, REAL), {"space": ONLY_HINGE}, automl.SpaceError, "hinge .*not for regression"),
    "loss without the metric's probabilities": (
        (X, y), {"space": ONLY_HINGE, "scoring": "neg_log_loss"}, automl.SpaceError, "gives no probabilities",
    ),
    "scoring that is no scorer": ((X, y), {"scoring": 5}, automl.SettingError, "scoring: must be a scorer.*int 5"),
    "a cost as the only objective": (
        (X, y), {"scoring": "fit_seconds"}, automl.SettingError, 'scoring: must begin with a scorer.*"fit_seconds"',
    ),
    "no objective": ((X, y), {"scoring": []}, automl.SettingError, "scoring: must begin with a scorer.*none"),
    "unknown objective": (
        (X, y), {"scoring": ["f1", "model_byte"]}, automl.SettingError, r'"model_byte"\. Did you mean "model_bytes"',
    ),
    "objective given twice": ((X, y), {"scoring": ["f1", "f1"]}, automl.SettingError, "f1 twice"),
    "fewer directions than objectives": (
        (X, y), {"scoring": ["f1", "fit_seconds"], "directions": ["maximize"]}, automl.SettingError,
        "directions: must be 2, one for each objective; got 1",
    ),
    "unknown direction": ((X, y), {"directions": ["up"]}, automl.SettingError, r"directions: must be .*'up'"),
    "pruner with several objectives": (
        (X, y), {"scoring": ["f1", "fit_seconds"], "pruner": "median"}, automl.SettingError,
        r'pruner: must be none with several objectives; got "median"\. Leave it out',
    ),
    "sampler of one objective with several": (
        (X, y), {"scoring": ["f1", "fit_seconds"], "sampler": "cmaes"}, automl.SettingError,
        "sampler: must be one for several objectives; got cmaes. Choose tpe",
    ),
    "limit that is no number": (
        (X, y), {"space": {**TREE, "constraints": {"model_bytes": "small"}}}, automl.SpaceError,
        "constraints.model_bytes: must be a number above 0; got small",
    ),
    "study name that is no text": ((X, y), {"study_name": 5}, automl.SettingError, "study_name: must be"),
    "unknown scorer": ((X, y), {"scoring": "acuracy"}, automl.SettingError, r'"acuracy".*"accuracy"'),
    "scorer of another task": ((X, REAL), {"scoring": "roc_auc"}, automl.SettingError, "regression target"),
    "unknown sampler": ((X, y), {"sampler": "tpee"}, automl.SettingError, r'sampler.*"tpee".*"tpe"'),
    "unknown pruner": ((X, y), {"pruner": "medina"}, automl.SettingError, r'pruner.*"medina".*"median"'),
    "timeout not positive": ((X, y), {"timeout": 0}, automl.SettingError, r"timeout: must be a number above 0.*got 0"),
    "n_trials not positive": ((X, y), {"n_trials": -1}, automl.SettingError, r"n_trials.*at least 1.*got -1"),
    "neither timeout nor n_trials": ((X, y), {"timeout": None, "n_trials": None}, automl.SettingError, "neither"),
    "n_jobs of nothing": ((X, y), {"n_jobs": 0}, automl.SettingError, "n_jobs"),
    "random_state as a word": ((X, y), {"random_state": "one"}, automl.SettingError, "random_state.*'one'"),
    "one fold": ((X, y), {"cv": 1}, automl.SettingError, "cv"),
    "file store of MLflow": ((X, y), {"tracking_uri": "./mlruns"}, automl.StoreError, "sqlite"),
    "folder in the way of the store": ((X, y), {"tracking_uri": "sqlite:///taken"}, automl.StoreError, "taken"),
    "file in the way of the study's folder": ((X, y), {"storage": "file/study.journal"}, automl.StoreError, "file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUT)
def test_search_rejects_bad_input_before_training(case, folder, monkeypatch):
    (folder / "taken").mkdir()
    (folder / "file").write_text("")
    table, settings, kind, message = BAD_INPUT[case]

    def never(*_, **__):
        raise AssertionError("training started")

    monkeypatch.setattr("automl.search.run.Loop", never)
    with pytest.raises(kind, match=message):
        automl.Search(**{"space": TREE, "n_trials": 2, "progress": False, "n_jobs": 1, **settings}).fit(
            *table
        )
    assert not list((folder / "mlruns").glob("studies/*"))


@pytest.mark.parametrize(("sampler", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_search_rejects_a_sampler_without_its_package(folder, monkeypatch, sampler, package):
    def never(*_, **__):
        raise AssertionError("training started")

    monkeypatch.setattr("automl.search.run.Loop", never)
    monkeypatch.setattr("automl.search.open_search.start_workers", never)
    monkeypatch.setattr("automl.study.samplers.find_spec", lambda name: None)
    message = f'sampler: "{sampler}" needs the package {package}; got none installed. Install {package}.'
    with pytest.raises(automl.SettingError) as caught:
        automl.Search(TREE, n_trials=2, progress=False, n_jobs=1, sampler=sampler).fit(X, y)
    assert str(caught.value) == message
    assert not list((folder / "mlruns").glob("studies/*"))


def test_search_reports_several_faults_at_once():
    with pytest.raises(automl.SettingError) as caught:
        automl.Search(TREE, timeout=-1, n_trials=0, n_jobs=1.5).fit(X, y)
    assert [fault.where for fault in caught.value.faults] == ["n_trials", "timeout", "n_jobs"]


def test_search_overwrites_no_study(folder):
    settings = {"n_trials": 2, "progress": False, "n_jobs": 1, "study_name": "mine"}
    automl.Search(TREE, **settings).fit(X, y)
    with pytest.raises(automl.SettingError, match='study_name: must be new in its storage; got "mine"'):
        automl.Search(TREE, resume=False, **settings).fit(X, y)
    assert len(read_records(load_study("mine"))) == 1


@pytest.mark.parametrize(
    ("name", "content", "target", "message"),
    [
        ("absent.csv", None, "y", "no such file"),
        ("empty.csv", b"", "y", "empty"),
        ("bad.parquet", b"not parquet", "y", "bad.parquet"),
        ("table.docx", b"a,b", "y", r"\.csv"),
        ("table.csv", b"arr_delay,b\n1,2\n", "arr_dely", 'Did you mean "arr_delay"'),
        ("twice.csv", b"a,a,y\n1,2,3\n", "y", '"a"'),
    ],
)
def test_read_table_rejects_a_bad_file(tmp_path, name, content, target, message):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(automl.TableError, match=message):
        automl.read_table(file, target=target)
