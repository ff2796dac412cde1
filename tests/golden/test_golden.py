"""Models and studies written by released versions: they load, predict and resume as they did then."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl import Search
from automl.errors import SettingError
from automl.export import load_model, model_metadata
from automl.space import shipped_folder
from tests.support.boards import trial_rows

VERSIONS = ["0.1.0"]
TARGETS = {"trees": "kind", "tabular": "price"}
# Built-in spaces that have changed since, as they were.
SPACES = {"tabular": "tabular-0"}


@pytest.fixture(scope="module", params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one version."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(Path(__file__).parent / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def move_store(database: Path, folder: Path) -> None:
    """Make an MLflow database name the folder that it is in now instead of the one that it was written in."""
    columns = (("experiments", "artifact_location"), ("runs", "artifact_uri"))
    columns += (("logged_models", "artifact_location"),)
    with closing(sqlite3.connect(database)) as connection, connection:
        (location,) = connection.execute("SELECT max(artifact_location) FROM experiments").fetchone()
        written_in = location.partition("/mlruns/")[0]
        for table, column in columns:
            query = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            connection.execute(query, (written_in, folder.as_uri()))


@pytest.mark.parametrize("name", ["linear", "mlp_reg", "trees", "tabular", "text", "coded"])
def test_load_model_reads_released_versions(name: str, golden: Path) -> None:
    X = pd.read_parquet(golden / "X.parquet")
    expected = pd.read_parquet(golden / f"pred_{name}.parquet")["prediction"].to_numpy()
    found = load_model(golden / f"model_{name}").predict(X)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    else:
        np.testing.assert_array_equal(found, expected)
    assert model_metadata(golden / f"model_{name}")["automl_version"] == "0.1.0"


@pytest.mark.parametrize("name", ["linear", "mlp_reg", "trees", "tabular", "text", "coded"])
def test_mlflow_reads_released_versions(name: str, golden: Path) -> None:
    X = pd.read_parquet(golden / "X.parquet")
    expected = pd.read_parquet(golden / f"pred_{name}.parquet")["prediction"].to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        found = np.asarray(mlflow.pyfunc.load_model(str(golden / f"model_{name}")).predict(X))
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    else:
        np.testing.assert_array_equal(found, expected)


def resumed(study: str, space: str | Path, n_trials: int) -> pd.DataFrame:
    """Continue a golden study in the current folder, and return its leaderboard by trial."""
    move_store(Path("mlruns/mlflow.db"), Path.cwd())
    X, y = pd.read_parquet("X.parquet"), pd.read_parquet("y.parquet")[TARGETS[study]]
    search = Search(
        space=space,
        n_trials=n_trials,
        timeout=None,
        n_jobs=1,
        random_state=0,
        progress=False,
        study_name=f"golden-{study}",
    ).fit(X, y)
    return trial_rows(search.leaderboard(wide=True)).set_index("trial").sort_index()


@pytest.mark.slow
@pytest.mark.parametrize("study", TARGETS)
def test_search_resumes_studies_of_released_versions(
    study: str, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(golden)
    found = resumed(study, SPACES.get(study, study), n_trials=12)
    expected = pd.read_json(f"lb12_{study}.json").set_index("trial").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    assert found["state"].tolist() == expected["state"].tolist()
    assert found["family"].tolist() == expected["family"].tolist()
    np.testing.assert_allclose(found["score"].astype(float), expected["score"].astype(float), rtol=1e-4)
    # Six trials and their runs were there; nothing of them was written again.
    assert found["run_id"].tolist()[:6] == expected["run_id"].tolist()[:6]


@pytest.mark.slow
def test_search_resumes_a_study_in_the_grown_space(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(golden, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    expected = pd.read_json("lb12_tabular.json").set_index("trial").sort_index()[:6]
    old = (shipped_folder() / "tabular-0.yaml").read_text()
    family = "lightgbm: {preprocess: {use: trees}, learning_rate: {low: 0.05, high: 0.1}, n_estimators: 50}"
    grown = old.replace("  model:\n    choice:\n", f"  model:\n    choice:\n      {family}\n")
    grown = grown.replace("enqueue:\n", "enqueue:\n  - {model: lightgbm}\n")
    Path("grown.yaml").write_text(grown)
    found = resumed("tabular", "grown.yaml", n_trials=14)
    np.testing.assert_allclose(found["score"][:6], expected["score"], rtol=1e-4)
    assert "lightgbm" in set(found["family"][6:])
    with pytest.raises(SettingError, match="must have room for every trial of the study"):
        resumed("tabular", "tabular", n_trials=15)
