"""Models as outputs of runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow.sklearn
import pandas as pd
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

import automl.tracking.models
from automl.export import load_model
from automl.tracking import Tracker, warm_up
from tests.support.trials import search_record

X = pd.DataFrame({"size": range(20), "age": range(20, 0, -1)})
FILE = Path("automl/version.py")  # one of the code's files


@pytest.fixture
def copies(monkeypatch):
    """The copies of a file of this package."""
    found, copyfile = [], shutil.copyfile

    def counted(source, target, **kwargs):
        if Path(target).match(str(Path("code") / FILE)):
            found.append(target)
        return copyfile(source, target, **kwargs)

    monkeypatch.setattr(shutil, "copyfile", counted)
    return found


def recorded(call, seen):
    """Return a function that keeps its arguments."""

    def keep(*args, **kwargs):
        seen.append(args)
        return call(*args, **kwargs)

    return keep


@pytest.fixture
def calls(monkeypatch):
    """The arguments of the calls that write a model or infer a signature."""
    found = {"dump": [], "dump_skops": [], "infer_signature": [], "_infer_signature_from_input_example": []}
    places = [(skops.io, "dump"), (automl.tracking.models, "dump_skops"), (mlflow.models, "infer_signature")]
    places += [(mlflow.models.signature, "infer_signature")]
    places += [(mlflow.sklearn, "_infer_signature_from_input_example")]
    for module, name in places:
        monkeypatch.setattr(module, name, recorded(getattr(module, name), found[name]))
    return found


@pytest.mark.parametrize(("local", "n_copies"), [(True, 1), (False, 2)], ids=["files", "server"])
def test_log_model_writes_code_model_and_signature_once(folder, copies, calls, monkeypatch, local, n_copies):
    if not local:  # a store that takes uploads only
        monkeypatch.setattr("automl.tracking.models._local_folder", lambda location: None)
    model = DecisionTreeClassifier().fit(X, X["size"] > 9)
    tracker = Tracker()
    tracker.start(search_record(), {})
    uri = tracker.log_model(model, X, registered_model_name="automl-y")
    tracker.close("finished")
    assert len(copies) == n_copies
    dumped = [args[0] for name in ("dump", "dump_skops") for args in calls[name]]
    assert [one for one in dumped if one is model] == [model]
    assert len(calls["infer_signature"]) == 1
    assert calls["_infer_signature_from_input_example"] == []
    loaded = load_model(uri)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert load_model("models:/automl-y/1").get_params() == loaded.get_params()


def test_warm_up_copies_no_code(copies):
    warm_up.cache_clear()
    warm_up()
    assert copies == []
