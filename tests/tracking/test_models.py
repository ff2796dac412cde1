"""Models as outputs of runs."""

from __future__ import annotations

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


@pytest.mark.parametrize("local", [True, False], ids=["files", "server"])
def test_log_model_writes_code_model_and_signature_once(folder, calls, monkeypatch, local):
    if not local:  # a store that takes uploads only
        monkeypatch.setattr("automl.tracking.models._local_folder", lambda location: None)
    model = DecisionTreeClassifier().fit(X, X["size"] > 9)
    tracker = Tracker()
    tracker.start(search_record(), {})
    uri = tracker.log_model(model, X, registered_model_name="automl-y")
    tracker.close("finished")
    (code,) = folder.rglob("automl.zip")
    files = [file for file in code.parents[1].rglob("*") if file.is_file()]
    assert len(files) < 12  # each takes a server as long as one large file
    dumped = [args[0] for name in ("dump", "dump_skops") for args in calls[name]]
    assert [one for one in dumped if one is model] == [model]
    assert len(calls["infer_signature"]) == 1
    assert calls["_infer_signature_from_input_example"] == []
    loaded = load_model(uri)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert load_model("models:/automl-y/1").get_params() == loaded.get_params()


def test_warm_up_writes_no_code(monkeypatch):
    monkeypatch.setattr(automl.tracking.models, "code_archive", None)
    warm_up.cache_clear()
    warm_up()
