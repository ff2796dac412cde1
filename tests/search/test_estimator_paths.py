"""Search, log and export estimators named by their import paths."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.datasets import make_classification

import automl
from automl.cli import main
from tests.support.boards import trial_rows

SPACE = {
    "task": ["binary", "multiclass"],
    "space": {
        "model": automl.Branch(
            my_forest={
                "estimator": "sklearn.ensemble.ExtraTreesClassifier",
                "n_estimators": automl.Int(5, 20, step=5),
                "bootstrap": automl.Choice(True, False),
                "preprocess": {"numeric": {"scale": "none"}},
            },
            margin={"estimator": "sklearn.svm.LinearSVC", "C": automl.Float(0.01, 1, log=True)},
        )
    },
    "enqueue": [{"model": "my_forest"}, {"model": "margin"}],
}
OAK = """\
from sklearn.tree import DecisionTreeClassifier

class Oak(DecisionTreeClassifier):
    pass
"""


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(120, 4, random_state=0)
    return X, y


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_estimator_paths_of_scikit_learn_are_searched(folder, table, n_jobs):
    search = automl.Search(SPACE, n_trials=6, scoring="roc_auc", n_jobs=n_jobs, progress=False).fit(*table)
    board = trial_rows(search.leaderboard_)
    assert set(board["family"]) == {"my_forest", "margin"}
    assert (board["state"] == "complete").all()
    assert board["score"].min() > 0.6
    assert search.best_params_["model"] in ("my_forest", "margin")
    model = automl.load_model(search.export(folder / "model"))
    np.testing.assert_array_equal(model.predict(table[0]), search.predict(table[0]))


@pytest.fixture
def oak(folder, monkeypatch, table):
    (folder / "oak_package.py").write_text(OAK)
    monkeypatch.syspath_prepend(folder)
    (folder / "oak.yaml").write_text(
        "space: {model: {choice: {oak: {estimator: oak_package.Oak, max_depth: [1, 2]}}}}\n"
    )
    yield folder
    sys.modules.pop("oak_package", None)


@pytest.mark.parametrize("wrong", [5, [5], [""], None])
def test_allow_imports_rejects_other_types(table, wrong):
    with pytest.raises(automl.SettingError, match="allow_imports: must be text or a list, each item text"):
        automl.Search(SPACE, allow_imports=wrong).fit(*table)


def test_estimator_path_of_another_package_needs_allow_imports(oak, table):
    with pytest.raises(automl.SpaceError, match="Other packages must be named in allow_imports"):
        automl.Search("oak.yaml", n_trials=2, progress=False).fit(*table)
    search = automl.Search(
        "oak.yaml", n_trials=2, n_jobs=1, progress=False, allow_imports=["oak_package"]
    ).fit(*table)
    assert type(search.best_estimator_[-1]).__name__ == "Oak"
    assert search.model_uri_.startswith("models:/")
    path = search.export(oak / "model")
    with pytest.raises(automl.SettingError, match=r"oak_package\.Oak"):
        automl.load_model(path)


def test_command_line_needs_allow_import(oak, table, monkeypatch, capsys):
    X, y = table
    np.savetxt("table.csv", np.c_[X, y], delimiter=",", header="a,b,c,d,y", comments="")
    words = [
        "search",
        "table.csv",
        "--target",
        "y",
        "--space",
        "oak.yaml",
        "--n-trials",
        "2",
        "--no-progress",
    ]
    for more, expected in (([], 2), (["--allow-import", "oak_package", "--n-jobs", "1"], 0)):
        monkeypatch.setattr(sys, "argv", ["automl", *words, *more])
        with pytest.raises(SystemExit) as stop:
            main()
        assert (stop.value.code or 0) == expected, capsys.readouterr()
    assert "oak" in capsys.readouterr().out
