from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from automl.explain import (
    Part,
    coefficients,
    column_groups,
    effect_of,
    explain,
    permutation_importance,
    tree_importances,
    worst_rows,
)  # fmt: skip
from automl.metrics import Predictions, metric_for

R2 = metric_for("r2", "regression")


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "noise": rng.normal(size=n)})
    frame["town"] = rng.choice(["x", "y", "z"], n)
    return frame, 3 * frame["a"].to_numpy() + frame["b"].to_numpy() + 2.0 * (frame["town"] == "x").to_numpy()


def truth(frame):
    return Predictions((3 * frame["a"] + frame["b"] + 2.0 * (frame["town"] == "x")).to_numpy())


def parts(predict=truth, n=5):
    return [Part(predict, *table(100, seed), np.arange(100) + 100 * seed) for seed in range(n)]


def test_permutation_importance_is_the_loss_of_score():
    found = permutation_importance(parts(), R2, n_repeats=10)
    assert found.index.tolist() == ["a", "b", "town", "noise"]
    # Shuffling a column with coefficient c loses 2 c² of its variance: R² falls by that over the variance of y.
    variance = 9 + 1 + 4 * 2 / 9
    assert found.loc["a", "importance"] == pytest.approx(2 * 9 / variance, rel=0.1)
    assert found.loc["b", "importance"] == pytest.approx(2 * 1 / variance, rel=0.2)
    assert found.loc["noise", "importance"] == 0
    assert (found["low"] <= found["importance"]).all()
    assert found.loc["a", "low"] < 2 * 9 / variance < found.loc["a", "high"]


def test_permutation_importance_shuffles_copies_together():
    def predict(frame):
        return Predictions(((frame["a"] + frame["copy"]) / 2).to_numpy())

    copied = [
        Part(
            predict, part.frame.assign(copy=2 * part.frame["a"]), part.frame["a"].to_numpy() * 1.5, part.rows
        )
        for part in parts()
    ]
    found = permutation_importance(copied, R2)
    assert found.index[0] == "a = copy"
    assert found["columns"].iloc[0] == ["a", "copy"]
    assert found["importance"].iloc[0] == pytest.approx(2, rel=0.15)


def test_permutation_importance_keeps_the_time_limit():
    calls = []

    def slow(frame):
        calls.append(len(frame))
        return truth(frame)

    permutation_importance(parts(slow, n=2), R2, n_repeats=50, deadline=time.monotonic())
    assert len(calls) == 2 + 2 * 4


def test_column_groups_find_copies_of_any_kind():
    frame, _ = table()
    frame["code"] = frame["town"].map({"x": "3", "y": "1", "z": "2"})
    frame["minus_a"] = -(frame["a"] ** 3)
    frame["gaps"] = frame["b"].where(frame["a"] > 0)
    assert column_groups(frame) == [["a", "minus_a"], ["b"], ["noise"], ["town", "code"], ["gaps"]]


def test_effect_of_a_number_is_its_slope():
    found = effect_of(parts(), "a")
    assert found.rows.shape == (200, len(found.values), 1)
    slope = np.polyfit(found.values.astype(float), found.mean[:, 0], 1)[0]
    assert slope == pytest.approx(3)
    assert np.ptp(found.rows[:, 0, 0]) > 1  # curves of single rows lie apart


def test_effect_of_a_category_is_its_step():
    found = effect_of(parts(), "town")
    means = dict(zip(found.values, found.mean[:, 0], strict=True))
    assert means["x"] - means["y"] == pytest.approx(2)
    assert means["z"] == pytest.approx(means["y"])


def test_worst_rows_have_the_numbers_and_values_of_the_table():
    whole = parts()
    whole[2].y[7] += 100
    found = worst_rows(whole, lambda codes: codes, n=3)
    assert found.index[0] == 207
    assert found["loss"].iloc[0] == pytest.approx(100)
    assert found["town"].iloc[0] == whole[2].frame["town"].iloc[7]
    assert found.columns.tolist() == ["loss", "true", "predicted", "a", "b", "noise", "town"]


def test_worst_rows_of_classes_have_the_least_probable_true_class():
    y = np.array([0, 1, 1])
    found = Predictions(np.array([0, 1, 0]), np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]))
    part = Part(lambda _: found, pd.DataFrame({"loss": [1, 2, 3]}), y, np.arange(3))
    rows = worst_rows([part], lambda codes: np.array(["no", "yes"])[codes])
    assert rows.index.tolist() == [2, 1, 0]
    assert rows.iloc[0, 0] == pytest.approx(-np.log(0.2))
    assert rows.iloc[0, 1:].tolist() == ["yes", "no", 3]


def fitted(model, y):
    frame, _ = table()
    prepare = make_column_transformer((StandardScaler(), ["a", "b", "noise"]), (OneHotEncoder(), ["town"]))
    return make_pipeline(prepare, model).fit(frame, y)


def test_coefficients_name_their_raw_columns():
    frame, y = table()
    found = coefficients(fitted(Ridge(0.1), y), list(frame))
    assert found["column"].tolist()[0] == "a"
    assert set(found["column"]) == {"a", "b", "noise", "town"}
    assert found["coefficient"].iloc[0] == pytest.approx(3, rel=0.1)
    labels = np.array(["low", "mid", "top"])[np.digitize(y, [-1, 1])]
    assert coefficients(fitted(LogisticRegression(), labels), list(frame)).columns.tolist() == [
        "column", "feature", "low", "mid", "top",
    ]  # fmt: skip
    assert coefficients(fitted(DecisionTreeRegressor(), y), list(frame)) is None


def test_tree_importances_sum_to_one_by_raw_column():
    frame, y = table()
    found = tree_importances(fitted(DecisionTreeRegressor(max_depth=4), y), list(frame))
    assert found.index[0] == "a"
    assert found.sum() == pytest.approx(1)
    assert set(found.index) == set(frame)
    assert tree_importances(fitted(Ridge(), y), list(frame)) is None


def test_explain_samples_rows_and_reports_progress():
    said = []
    found = explain(parts(), R2, decode=lambda codes: codes, source="a model", top=2, progress=said.append)
    assert said == ["shuffling columns", "effect of a", "effect of b"]
    assert list(found.effects) == ["a", "b"]
    assert "loss of r2" in repr(found)
    assert found.coefficients is None


def test_explain_ends_in_time():
    def slow(frame):
        time.sleep(0.02)
        return truth(frame)

    start = time.monotonic()
    found = explain(parts(slow, n=2), R2, decode=lambda codes: codes, seconds=0.05)
    assert time.monotonic() - start < 2
    assert len(found.importances) == 4
    assert len(found.effects) == 1
