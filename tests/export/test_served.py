"""A served model takes every input that its pipeline takes: as a frame and as JSON."""

from __future__ import annotations

import json

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
            "town": rng.choice(["Aachen", "Bern", "Cork"], N),
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
def models(tmp_path_factory):
    """The pipeline and its served model."""
    X, columns = table(), TypedColumns()
    prepare = preprocessor({"categorical": {"encode": "onehot"}}, columns.fit(X).column_types_)
    y = np.where((X["size"] + X["age"] / 10 + (X["town"] == "Bern") * 4) > 16, "yes", "no")
    steps = [("columns", columns), ("prepare", prepare), ("model", DecisionTreeClassifier(random_state=0))]
    pipeline = Pipeline(steps).fit(X, y)
    folder = save_model(pipeline, tmp_path_factory.mktemp("served") / "model", X, {})
    import mlflow.pyfunc  # after `save_model`, which imports it without its warnings

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


def invoke(served, text: str) -> list[str]:
    """Return the predictions of MLflow's scoring server for the body of a request."""
    from mlflow.pyfunc.scoring_server import invocations

    answer = invocations(text, "application/json", served, served.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    return json.loads(answer.response)["predictions"]


def test_served_model_takes_json(models):
    pipeline, served = models
    X = table()
    X = X.assign(
        at=X["at"].astype(str),
        wait=X["wait"].dt.total_seconds(),
        month=X["month"].astype(str),
        day=X["day"].dt.strftime("%Y-%m-%d"),
    )
    X["age"] = X["age"].astype(float).where(X.index != 2)
    wanted = pipeline.predict(X).tolist()
    split = json.dumps({"dataframe_split": json.loads(X.to_json(orient="split", index=False))})
    records = json.dumps({"dataframe_records": json.loads(X.to_json(orient="records"))})
    assert invoke(served, split) == wanted
    assert invoke(served, records) == wanted


def test_served_model_gives_probabilities_where_asked_for(models):
    pipeline, served = models
    X = table()
    found = served.predict(X, params={"predict_method": "predict_proba"})
    np.testing.assert_array_equal(found, pipeline.predict_proba(X))
    np.testing.assert_array_equal(served.predict(X), pipeline.predict(X))
    with pytest.raises(Exception, match="predict_method: must be one of predict, predict_proba, got 'fit'"):
        served.predict(X, params={"predict_method": "fit"})
