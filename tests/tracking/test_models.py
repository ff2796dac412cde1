"""Models as outputs of runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

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


@pytest.mark.parametrize(("local", "n_copies"), [(True, 1), (False, 2)], ids=["files", "server"])
def test_log_model_writes_the_code_to_a_folder_once(folder, copies, monkeypatch, local, n_copies):
    if not local:  # a store that takes uploads only
        monkeypatch.setattr("automl.tracking.models._local_folder", lambda location: None)
    model = DecisionTreeClassifier().fit(X, X["size"] > 9)
    tracker = Tracker()
    tracker.start(search_record(), {})
    uri = tracker.log_model(model, X, registered_model_name="automl-y")
    tracker.close("finished")
    assert len(copies) == n_copies
    loaded = load_model(uri)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert load_model("models:/automl-y/1").get_params() == loaded.get_params()


def test_warm_up_copies_no_code(copies):
    warm_up.cache_clear()
    warm_up()
    assert copies == []
