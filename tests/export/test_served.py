"""A served model takes every input that its pipeline takes: as a frame, as JSON, CSV and Parquet."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from automl.export import save_model
from automl.table import TypedColumns, preprocessor

N = 60


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ages = rng.integers(18, 90, N)
    return pd.DataFrame(
        {
            "size": rng.normal(10, 3, N).round(3),
            "age": ages,
            "town": rng.choice(["Aachen", "Bern", "None"], N),
            "code": [f"{code:05}" for code in ages % 7],
            "kind": pd.Categorical(rng.choice(["a", "b"], N)),
            "flag": ages > 50,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(ages, unit="D"),
            "at": pd.Timestamp("2024-03-30", tz="Europe/Berlin") + pd.to_timedelta(ages, unit="h"),
            "wait": pd.to_timedelta(ages, unit="min"),
            "month": pd.PeriodIndex(
                pd.Timestamp("2020-01-01") + pd.to_timedelta(ages * 31, unit="D"), freq="M"
            ),
        }
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A pipeline and its folder."""
    X, columns = table(), TypedColumns()
    prepare = preprocessor({"categorical": {"encode": "onehot"}}, columns.fit(X).column_types_)
    late = X["size"] + X["age"] / 10 + (X["town"] == "None") * 4 + (X["code"] == "00003") * 4
    y = np.where(late > 16, "yes", "no")
    steps = [("columns", columns), ("prepare", prepare), ("model", DecisionTreeClassifier(random_state=0))]
    pipeline = Pipeline(steps).fit(X, y)
    return pipeline, save_model(pipeline, tmp_path_factory.mktemp("served") / "model", X, {})


@pytest.fixture(scope="module")
def models(exported):
    """The pipeline and its served model."""
    import mlflow.pyfunc.scoring_server  # after `save_model`, which imports it without its warnings

    pipeline, folder = exported
    return pipeline, mlflow.pyfunc.load_model(str(folder))


VARIANTS = {
    "as in training": lambda X: X,
    "another order": lambda X: X[X.columns[::-1]],
    "whole numbers with a gap": lambda X: X.assign(age=X["age"].astype(float).where(X.index != 2)),
    "nullable numbers": lambda X: X.assign(age=X["age"].astype("Int64").where(X.index != 2)),
    "int32": lambda X: X.assign(age=X["age"].astype("int32")),
    "whole numbers for floats": lambda X: X.assign(size=X["size"].round().astype(int)),
    "booleans with a gap": lambda X: X.assign(flag=X["flag"].astype("boolean").where(X.index != 1)),
    "texts with None": lambda X: X.assign(town=X["town"].astype(object).where(X.index != 0)),
    "categories for texts": lambda X: X.assign(town=X["town"].astype("category")),
    "texts for categories": lambda X: X.assign(kind=X["kind"].astype(str)),
    "unseen category": lambda X: X.assign(town="Essen"),
    "dates with a gap": lambda X: X.assign(day=X["day"].where(X.index != 0)),
    "dates as text": lambda X: X.assign(day=X["day"].dt.strftime("%Y-%m-%d")),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_served_model_takes_a_frame(models, name):
    pipeline, served = models
    X = VARIANTS[name](table())
    np.testing.assert_array_equal(served.predict(X), pipeline.predict(X))


def invoke(served, body: str, content_type: str = "application/json"):
    """Return the answer of MLflow's scoring server to the body of a request."""
    from mlflow.pyfunc.scoring_server import invocations

    answer = invocations(body, content_type, served, served.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    return json.loads(answer.response)["predictions"]


def as_json(X: pd.DataFrame, orient: str) -> str:
    """Return the body of a request: dates as text, durations as seconds."""
    X = X.assign(
        at=X["at"].astype(str),
        wait=X["wait"].dt.total_seconds(),
        month=X["month"].astype(str),
        day=X["day"].dt.strftime("%Y-%m-%d"),
    )
    options = {"index": False} if orient == "split" else {}
    return json.dumps({f"dataframe_{orient}": json.loads(X.to_json(orient=orient, **options))})


def with_gaps() -> pd.DataFrame:
    X = table()
    return X.assign(age=X["age"].astype(float).where(X.index != 2), kind=X["kind"].where(X.index != 3))


@pytest.mark.parametrize("orient", ["split", "records"])
def test_served_model_takes_json(models, orient):
    pipeline, served = models
    assert invoke(served, as_json(with_gaps(), orient)) == pipeline.predict(with_gaps()).tolist()


@pytest.mark.parametrize("rows", [slice(None), slice(0, 1), slice(2, 4)], ids=["all", "one", "gaps"])
def test_served_model_takes_csv(models, rows):
    pipeline, served = models
    X = with_gaps()[rows]
    assert invoke(served, X.to_csv(index=False), "text/csv") == pipeline.predict(X).tolist()


def test_served_model_names_the_fault_of_a_csv(models):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="no table with names in its first line: .*Expected 2 fields"):
        invoke(models[1], "a,b\n1,2,3\n", "text/csv")


@pytest.mark.slow
@pytest.mark.xdist_group("serial")
def test_mlflow_serves_the_folder(exported, tmp_path):
    pipeline, folder = exported
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder)]
    command += ["--env-manager", "local", "--port", str(port), "--workers", "1"]
    X = with_gaps()
    wanted = pipeline.predict(X).tolist()
    parquet = io.BytesIO()
    X.assign(month=X["month"].astype(str)).to_parquet(parquet)  # the engine has no periods of its own
    bodies = {
        "application/json": as_json(X, "split").encode(),
        "text/csv": X.to_csv(index=False).encode(),
        "application/vnd.apache.parquet": parquet.getvalue(),
    }
    # MLflow calls uvicorn by its name, which is beside this Python.
    clean = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=clean, start_new_session=True) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", server)
            for content_type, body in bodies.items():
                url, headers = f"http://127.0.0.1:{port}/invocations", {"Content-Type": content_type}
                with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
                    assert json.load(answer)["predictions"] == wanted, content_type
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # MLflow and its uvicorn


def wait_for(url: str, server: subprocess.Popen, seconds: float = 90) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_served_model_gives_probabilities_where_asked_for(models):
    pipeline, served = models
    X = table()
    found = served.predict(X, params={"predict_method": "predict_proba"})
    np.testing.assert_array_equal(found, pipeline.predict_proba(X))
    np.testing.assert_array_equal(served.predict(X), pipeline.predict(X))
    with pytest.raises(Exception, match="predict_method: must be one of predict, predict_proba, got 'fit'"):
        served.predict(X, params={"predict_method": "fit"})
