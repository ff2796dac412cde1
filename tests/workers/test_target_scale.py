"""Targets of any size and offset are learned as well as standardised ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.families import Problem, TargetScale, scale_of
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.table import make_folds
from automl.workers import train_single

TARGETS = {
    "offset": lambda base: base + 1.7e9,
    "1e12": lambda base: base * 1e12,
    "1e-9": lambda base: base * 1e-9,
    "whole 1e15": lambda base: (base * 1e15).round(),
    "negative offset": lambda base: base * 1e-3 - 5e6,
    "1e30": lambda base: base * 1e30,
}
FAMILIES = {
    "linear": {"learning_rate": 0.1, "max_epochs": 20},
    "mlp": {"learning_rate": 0.03, "max_epochs": 10, "hidden_layer_sizes": [8]},
    "decision_tree": {"max_depth": 4},
    "random_forest": {"n_estimators": 8},
    "hist_gradient_boosting": {"max_iter": 20},
    "lightgbm": {"n_estimators": 20},
    "catboost": {"n_estimators": 20},
    "xgboost": {"n_estimators": 20},
    "quick_linear": {},
    "ridge": {"estimator": "sklearn.linear_model.Ridge"},
}


def r2(context, family, params, values):
    """Return the mean score of one trial on a target."""
    numbers = replace(
        context,
        y=values,
        problem=Problem("regression", least=float(values.min()), target_scale=scale_of(values)),
        folds=make_folds(values, "regression", 3),
        objectives=objectives_for("r2", None, "regression"),
    )
    record = train_single(
        numbers, TrialSpec(number=0, configuration={"model": {family: params}}, params={}, seed=1)
    )
    assert record.state == "complete", record.reason
    return record.score


@pytest.mark.parametrize("family", FAMILIES)
def test_any_scale_is_learned_as_the_standardised_target(context, family):
    if family in ("catboost", "xgboost"):
        pytest.importorskip(family)
    rng = np.random.default_rng(1)
    base = 3 * context.frame["a"].to_numpy() + context.frame["b"].to_numpy() + 0.2 * rng.normal(size=90)
    standardised = (base - base.mean()) / base.std()
    expected = r2(context, family, FAMILIES[family], standardised)
    assert expected > 0.4
    found = {name: r2(context, family, FAMILIES[family], of(base)) for name, of in TARGETS.items()}
    assert found == pytest.approx(dict.fromkeys(TARGETS, expected), abs=0.02)


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        ([0.0, 1.0, 2.0], True),
        ([2e5, 3e5, 1e6], True),
        ([5.0, 5.0], True),
        ([1.7e9, 1.7e9 + 10], False),
        ([1e-9, 2e-9], False),
        ([1e12, 2e12], False),
    ],
)
def test_scale_of_leaves_ordinary_targets_alone(values, plain):
    scale = scale_of(np.array(values))
    assert scale.is_identity is plain
    scaled = scale.apply(np.array(values))
    assert plain or (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-6)
    assert TargetScale().wrap("model") == "model"


@pytest.mark.parametrize("family", ["linear", "mlp", "decision_tree", "lightgbm", "quick_linear", "ridge"])
def test_long_tails_are_learned_as_the_standardised_target(context, family):
    rng = np.random.default_rng(1)
    values = np.exp(context.frame["a"].to_numpy() + 0.2 * rng.normal(size=90))
    assert values.max() > 5 * np.median(values)
    expected = r2(context, family, FAMILIES[family], (values - values.mean()) / values.std())
    for of in (lambda base: base * 1e12, lambda base: base * 1e-9, lambda base: base + 1.7e9):
        assert r2(context, family, FAMILIES[family], of(values)) == pytest.approx(expected, abs=0.02)


def test_positive_losses_keep_the_target(context):
    values = 1e12 * np.exp(context.frame["a"].to_numpy())
    assert r2(context, "decision_tree", {"criterion": "poisson", "max_depth": 4}, values) > 0.4
    assert r2(context, "linear", {"loss": "poisson", "learning_rate": 0.1, "max_epochs": 20}, values) > 0.4
