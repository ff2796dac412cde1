"""An exported model loads with nothing but its requirements and the code it carries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import automl

# Hides every distribution that the requirements do not bring, then loads the model as MLflow does.
SCRIPT = """
import re, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from packaging.requirements import Requirement

folder = Path(sys.argv[1])

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

allowed, waiting = set(), [Requirement(line) for line in (folder / "requirements.txt").read_text().split()]
while waiting:
    found = waiting.pop()
    if plain(found.name) in allowed or (found.marker and not found.marker.evaluate({"extra": ""})):
        continue
    allowed.add(plain(found.name))
    try:
        waiting += map(Requirement, requires(found.name) or ())
    except PackageNotFoundError:
        pass

class Hidden:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "automl" and top in by_package and not allowed & {plain(d) for d in by_package[top]}:
            raise ModuleNotFoundError(f"{name} is not among the requirements", name=name)

by_package = packages_distributions()
sys.meta_path.insert(0, Hidden())

import mlflow.pyfunc, pandas
X = pandas.read_parquet(folder.parent / "table.parquet")
print(*mlflow.pyfunc.load_model(str(folder)).predict(X))
import automl
assert Path(automl.__file__).is_relative_to(folder / "code"), automl.__file__
import optuna
"""

SPACES = {
    "network": {"mlp": {"max_epochs": 2}},
    "lightgbm": {"lightgbm": {"n_estimators": 5}},
    "catboost": {"catboost": {"n_estimators": 5}},
    "xgboost": {"xgboost": {"n_estimators": 5}},
    "forest": {"extra_trees": {"n_estimators": 5}},
    "rare strings": {"linear": {"max_epochs": 2, "preprocess": {"categorical": {"encode": "target"}}}},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_exported_model_needs_only_its_requirements(name, tmp_path: Path) -> None:
    X = pd.DataFrame({"size": range(60), "town": ["Aachen", "Bern", "Cork"] * 20})
    y = ["no" if i % 3 else "yes" for i in range(60)]
    search = automl.Search(
        {"space": {"model": SPACES[name]}}, n_trials=1, timeout=None, n_jobs=1, progress=False, cv=2
    ).fit(X, y)
    search.export(tmp_path / "model")
    X.to_parquet(tmp_path / "table.parquet")
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "model")]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert ran.stdout.split() == list(search.predict(X)), ran.stderr
    # The last line of the script shows that a distribution outside the requirements is hidden.
    assert "optuna is not among the requirements" in ran.stderr
