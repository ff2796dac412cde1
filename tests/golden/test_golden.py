"""Models and studies written by released versions: they load, predict and resume as they did then."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl import Search
from automl.export import load_model, model_metadata

VERSIONS = ["0.1.0"]
TARGETS = {"trees": "kind", "tabular": "price"}


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


@pytest.mark.slow
@pytest.mark.parametrize("space", TARGETS)
def test_search_resumes_studies_of_released_versions(
    space: str, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(golden)
    move_store(Path("mlruns/mlflow.db"), golden)
    X, y = pd.read_parquet("X.parquet"), pd.read_parquet("y.parquet")[TARGETS[space]]
    search = Search(
        space=space,
        n_trials=12,
        timeout=None,
        n_jobs=1,
        random_state=0,
        progress=False,
        study_name=f"golden-{space}",
    ).fit(X, y)
    expected = pd.read_json(f"lb12_{space}.json").set_index("trial").sort_index()
    found = search.leaderboard_.set_index("trial").sort_index()
    assert found.index.tolist() == expected.index.tolist()
    assert found["state"].tolist() == expected["state"].tolist()
    assert found["family"].tolist() == expected["family"].tolist()
    np.testing.assert_allclose(found["score"].astype(float), expected["score"].astype(float), rtol=1e-4)
    # Six trials and their runs were there; nothing of them was written again.
    assert found["run_id"].tolist()[:6] == expected["run_id"].tolist()[:6]
