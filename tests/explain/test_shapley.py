from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from automl.errors import SettingError
from automl.explain import row_contributions
from automl.metrics import Predictions


def table(n=40):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"noise": rng.normal(size=n), "a": rng.normal(size=n)})
    frame["town"] = pd.Categorical(rng.choice(["x", "y"], n))
    return frame


def additive(frame):
    return Predictions((3 * frame["a"] + 2.0 * (frame["town"] == "x")).to_numpy())


def test_contributions_of_an_additive_model_are_its_terms():
    pytest.importorskip("shap")
    background, state = table(), np.random.get_state()[1].tolist()  # noqa: NPY002
    row = pd.DataFrame({"noise": [1.0], "a": [2.0], "town": pd.Categorical(["x"], ["x", "y"])})
    found = row_contributions(additive, row, background)
    share = (background["town"] == "x").mean()
    assert found.index.tolist() == ["a", "town", "noise"]
    assert found.loc["a", "contribution"] == pytest.approx(3 * (2 - background["a"].mean()))
    assert found.loc["town", "contribution"] == pytest.approx(2 * (1 - share))
    assert found.loc["noise", "contribution"] == pytest.approx(0)
    assert found["value"].tolist() == [2.0, "x", 1.0]
    assert found.attrs["mean"] + found["contribution"].sum() == pytest.approx(8)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c")])
def test_contributions_of_classes_sum_to_the_probability(labels):
    pytest.importorskip("shap")

    def predict(frame):
        logits = np.outer(frame["a"].to_numpy(), np.arange(len(labels)))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return Predictions(shares.argmax(axis=1), shares)

    background, row = table(), table().iloc[[3]]
    found = row_contributions(predict, row, background, classes=labels)
    names = ["contribution"] if len(labels) == 2 else list(labels)
    assert list(found.columns) == ["value", *names]
    expected = predict(row).probabilities[0]
    sums = np.asarray(found.attrs["mean"]) + found[names].sum().to_numpy(dtype=float)
    assert sums == pytest.approx(expected[1:] if len(labels) == 2 else expected)


def test_contributions_need_one_row_and_shap(monkeypatch):
    with pytest.raises(SettingError, match="X: must be one row; got 2 rows"):
        row_contributions(additive, table().head(2), table())
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(SettingError, match="shap: must be installed; got none. pip install"):
        row_contributions(additive, table().head(1), table())
