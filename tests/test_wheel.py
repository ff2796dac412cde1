"""The wheel, built and installed outside the checkout.

The environment is new; the dependencies are those of this one, found by a path file. So the test shows that the wheel
holds all it needs and that its stated requirements are met, not that an index offers them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.pages import blocks

USER = """\
from pathlib import Path

import automl
import pandas as pd


def train(file: Path) -> automl.Search:
    space = automl.load_space("quick")
    search = automl.Search(space, scoring="accuracy", timeout=30, columns={"zip": "categorical"})
    try:
        search.fit(automl.read_table(file), "churn", groups="customer")
    except automl.InputError as error:
        print(error)
    best: dict[str, object] = search.best_params_
    score: float = search.best_score_
    board: pd.DataFrame = search.leaderboard_
    print(best, score, board, search.cv_results_["mean_test_score"], search.best_index_ + 1)
    folder: Path = search.export("model", format="mlflow")
    automl.load_model(folder, trusted=automl.trusted_types())
    return search


branch = automl.Branch(linear={"learning_rate": automl.Float(0.01, 1, log=True), "max_epochs": automl.Int(1, 5)})
search = automl.Search({"space": {"model": branch}, "enqueue": [{"model": automl.Choice("linear")}]})
"""
WRONG = 'import automl\n\nautoml.Search(n_trials="ten")\nautoml.no_such_name\n'


def run(*words: object, cwd: Path) -> str:
    """Run a command without the checkout in its path; return its output."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ran = subprocess.run([str(word) for word in words], cwd=cwd, env=clean, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The Python of a new environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    # The editable install of the checkout is among the dependencies' metadata, outside this environment.
    pip(python, "install", "--no-deps", "--no-index", "--force-reinstall", wheel)
    return python


def pip(python: Path, *words: object) -> str:
    return run(sys.executable, "-m", "pip", "--python", python, *words, cwd=python.parent)


@pytest.mark.slow
def test_wheel_holds_the_package_alone(wheel):
    assert wheel.name.startswith("automl_orchestrator-")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        metadata = content.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {"automl/py.typed", "automl/search_spaces/tabular.yaml", "automl/report/report.html"} <= set(names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"automl", "automl_orchestrator"}
    assert "Provides-Extra: onnx" in metadata


@pytest.mark.slow
def test_wheel_runs_the_first_block_of_the_readme(environment, tmp_path):
    first = next(block for block in blocks(ROOT / "README.md") if block.kind == "python")
    short = re.sub(r"timeout=\d+", "n_trials=1, timeout=None, n_jobs=1", first.text)
    assert short != first.text
    place = (
        "import os; assert os.getcwd() not in automl.__file__; print(automl.__file__, type(model).__name__)"
    )
    (tmp_path / "first.py").write_text(f"{short}\n{place}\n")
    printed = run(environment, "-W", "ignore", "first.py", cwd=tmp_path)
    assert f"{environment.parents[1]}/lib" in printed
    assert (tmp_path / "model" / "MLmodel").exists()
    assert run(environment.parent / "automl", "spaces", "check", "quick", cwd=tmp_path)


@pytest.mark.slow
def test_wheel_states_requirements_that_are_met(environment):
    assert "No broken requirements found" in pip(environment, "check")


@pytest.mark.slow
def test_types_of_the_wheel_pass_for_a_strict_project(environment, tmp_path):
    (tmp_path / "project.py").write_text(USER)
    (tmp_path / "wrong.py").write_text(WRONG)
    mypy = ("-m", "mypy", "--strict", "--python-executable", environment, "--cache-dir", tmp_path / "cache")
    with pytest.raises(AssertionError) as failed:
        run(sys.executable, *mypy, "project.py", "wrong.py", cwd=tmp_path)
    one, other, summary = (line.strip() for line in str(failed.value).splitlines()[:3])
    assert re.match(r'wrong.py:3: error: .*"n_trials" to "Search"', one)
    assert re.match(r'wrong.py:4: error: .*has no attribute "no_such_name"', other)
    assert summary == "Found 2 errors in 1 file (checked 2 source files)"


@pytest.mark.slow
def test_wheel_leaves_nothing_when_it_is_uninstalled(environment, wheel):
    try:
        pip(environment, "uninstall", "--yes", "automl-orchestrator")
        (packages,) = environment.parents[1].glob("lib/*/site-packages")
        left = {path.suffix for path in packages.rglob("*") if path.is_file() and path.suffix != ".pth"}
        assert left <= {".nbi", ".nbc"}, left  # Numba's caches, which pip does not know
        assert not list(packages.glob("*.dist-info"))
        assert not (environment.parent / "automl").exists()
    finally:
        pip(environment, "install", "--no-deps", "--no-index", "--force-reinstall", wheel)
