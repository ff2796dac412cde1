"""The package as a whole: its names, its import, its documents."""

from __future__ import annotations

import runpy
import subprocess
import sys

import pytest

import automl
from tests.support import ROOT

PUBLIC = {
    "automl": [
        "AutomlError", "Branch", "Choice", "Float", "InputError", "Int", "NoModelError", "Search",
        "SettingError", "Space", "SpaceError", "StoreError", "TableError", "__version__", "load_model", "load_space",
        "read_table",
    ],
    "automl.descent": [
        "ACTIVATIONS", "DEFAULT_LOSSES", "ESTIMATOR_PARAMETERS", "LOSSES", "NORMALIZATIONS", "OPTIMIZERS", "PARAMETERS",
        "SCHEDULES", "Architecture", "Failure", "GradientDescentClassifier", "GradientDescentRegressor",
        "ParquetMatrix", "TrainConfig", "Snapshot", "Training", "from_configuration", "parameters",
    ],
}  # fmt: skip


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_pinned(module):
    names = __import__(module, fromlist=["__all__"])
    assert sorted(names.__all__) == sorted(PUBLIC[module])
    for name in names.__all__:
        assert getattr(names, name) is not None


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="Serach"):
        _ = automl.Serach  # type: ignore[attr-defined]
    assert set(automl.__all__) == set(dir(automl))


def test_import_is_quick_and_loads_nothing_heavy():
    script = (
        "import sys, time; start = time.perf_counter(); import automl; seconds = time.perf_counter() - start\n"
        "heavy = {'optuna', 'mlflow', 'pandas', 'sklearn', 'numpy'} & set(sys.modules)\n"
        "print(seconds, *heavy)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert all(len(run.stdout.split()) == 1 for run in runs), runs[0].stdout
    assert min(float(run.stdout) for run in runs) < 0.2


@pytest.mark.parametrize("example", ["quickstart", "regression"])
def test_examples_run(example, folder, monkeypatch, capsys):
    brief = {"timeout": None, "n_trials": 8, "n_jobs": 1, "progress": False}
    make = automl.Search
    monkeypatch.setattr(automl, "Search", lambda *args, **settings: make(*args, **{**settings, **brief}))
    runpy.run_path(str(ROOT / "examples" / f"{example}.py"), run_name="__main__")
    assert "never saw" in capsys.readouterr().out


def test_the_flights_of_the_demo_hold_nothing_from_after_departure():
    flights = runpy.run_path(str(ROOT / "examples" / "flights.py"))
    X, y = flights["load_flights"]()
    assert X.shape == (327_346, 9)
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(X)
    assert 0.2 < y.mean() < 0.3
