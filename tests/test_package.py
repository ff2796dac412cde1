"""The package as a whole: its names, its import, its documents."""

from __future__ import annotations

import subprocess
import sys

import pytest

import automl

PUBLIC = {
    "automl": [
        "AutomlError", "Branch", "Choice", "Float", "InputError", "Int", "NoModelError", "Search",
        "SettingError", "Space", "SpaceError", "StoreError", "TableError", "__version__", "load_model", "load_space",
        "predict_file", "read_table", "trusted_types",
    ],
    "automl.descent": [
        "ACTIVATIONS", "DEFAULT_LOSSES", "ESTIMATOR_PARAMETERS", "INPUT_LAYERS", "LOSSES", "NORMALIZATIONS",
        "OPTIMIZERS", "PARAMETERS", "SCHEDULES", "Architecture", "Failure", "GradientDescentClassifier",
        "GradientDescentRegressor", "ParquetMatrix", "Snapshot", "TrainConfig", "Training", "from_configuration",
        "load_kernels", "network_layers", "parameters",
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


@pytest.mark.serial
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
