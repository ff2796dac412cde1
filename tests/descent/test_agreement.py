"""The optima of other libraries, on the same objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.svm import LinearSVC

from automl.descent import Architecture, TrainConfig, Training

pytestmark = pytest.mark.usefixtures("backend")

N, D = 200, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D))
SCORE = X @ [1.0, -2.0, 0.5, 0.0, 3.0] + RNG.normal(size=N)
Y = (SCORE - SCORE.mean()) / SCORE.std()
LABELS = (SCORE > 0).astype(int)
SIGN = 2 * LABELS - 1
CODES = np.digitize(SCORE, [-2, 2])
COUNTS = RNG.poisson(np.exp(0.3 * X[:, 0] + 0.5)).astype(float)

Objective = Callable[[Any, Any], float]


def optimum(
    loss: str, y: np.ndarray, n_outputs: int = 1, params: dict[str, float] | None = None, **config: Any
):
    """Return our weights ``(d, c)`` and biases ``(c,)``."""
    settings: dict[str, Any] = {"learning_rate": 0.05, "max_epochs": 1500, "l2": 0.0} | config
    training = Training(
        Architecture(loss, loss_params=params or {}),
        [TrainConfig("momentum", schedule="cosine", batch_size="full", **settings)],
        X.astype(np.float32),
        y,
        n_outputs=n_outputs,
    )
    training.advance(settings["max_epochs"])
    weight, bias = training.weights(0)[0]
    return weight.astype(float), bias.astype(float)


def check(
    objective: Objective, ours: tuple[np.ndarray, np.ndarray], coef: np.ndarray, intercept: Any
) -> None:
    """Assert that our objective is theirs, within a thousandth."""
    theirs = objective(np.reshape(coef, (-1, D)).T, np.ravel(intercept))
    assert objective(*ours) == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize(
    ("l1", "l2", "peer"),
    [
        (0.0, 0.1, Ridge(alpha=0.1 * N)),
        (0.05, 0.0, Lasso(alpha=0.05)),
        (0.03, 0.03, ElasticNet(alpha=0.06, l1_ratio=0.5)),
    ],
    ids=["Ridge", "Lasso", "ElasticNet"],
)
def test_squared(l1, l2, peer):
    def objective(w, b):
        return 0.5 * np.mean((X @ w[:, 0] + b - Y) ** 2) + l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum()

    peer.fit(X, Y)
    ours = optimum("squared", Y, l1=l1, l2=l2)
    check(objective, ours, peer.coef_, peer.intercept_)
    assert ((ours[0][:, 0] == 0) == (peer.coef_ == 0)).all()


def test_logistic():
    def objective(w, b):
        return np.mean(np.logaddexp(0, -SIGN * (X @ w[:, 0] + b))) + 0.005 * (w**2).sum()

    peer = LogisticRegression(C=1 / (0.01 * N)).fit(X, LABELS)
    check(objective, optimum("logistic", LABELS, l2=0.01), peer.coef_, peer.intercept_)


def test_softmax():
    def objective(w, b):
        z = X @ w + b
        return np.mean(logsumexp(z, axis=1) - z[np.arange(N), CODES]) + 0.005 * (w**2).sum()

    peer = LogisticRegression(C=1 / (0.01 * N)).fit(X, CODES)
    check(objective, optimum("softmax", CODES, 3, l2=0.01), peer.coef_, peer.intercept_)


@pytest.mark.parametrize(("loss", "power"), [("hinge", 1), ("squared_hinge", 2)])
def test_hinges(loss, power):
    def objective(w, b):
        margins = np.maximum(0, 1 - SIGN * (X @ w[:, 0] + b))
        return np.mean(margins**power) + 0.025 * (w**2).sum()

    # a large intercept scaling, for liblinear penalises the intercept
    peer = LinearSVC(loss=loss, C=1 / (0.05 * N), intercept_scaling=30, max_iter=1000000, random_state=0)
    peer.fit(X, LABELS)
    check(objective, optimum(loss, LABELS, l2=0.05, max_epochs=3000), peer.coef_, peer.intercept_)


def test_huber():
    def objective(w, b):
        r = np.abs(X @ w[:, 0] + b - Y)
        return np.mean(np.where(r < 0.5, r**2 / 2, 0.5 * (r - 0.25))) + 0.005 * (w**2).sum()

    peer = minimize(lambda v: objective(v[:-1, None], v[-1]), np.zeros(D + 1), tol=1e-9)
    check(objective, optimum("huber", Y, params={"delta": 0.5}, l2=0.01), peer.x[:-1], peer.x[-1])


def test_huber_equals_scikit_learn_with_outliers():
    spoilt = Y.copy()
    spoilt[:10] += 20
    # scikit-learn estimates the scale of the residuals too; its delta is `epsilon_ * scale_` of the target
    peer = HuberRegressor(epsilon=1.35, alpha=0.0).fit(X, spoilt)
    delta = 1.35 * peer.scale_ / spoilt.std()
    ours = optimum("huber", spoilt, params={"delta": delta}, max_epochs=4000)
    assert np.allclose(ours[0][:, 0], peer.coef_, atol=5e-3)

    def objective(w, b):
        far, r = 1.35 * peer.scale_, np.abs(X @ w[:, 0] + b - spoilt)
        return np.mean(np.where(r < far, r**2 / 2, far * (r - far / 2)))

    check(objective, ours, peer.coef_, peer.intercept_)


def test_quantile():
    def objective(w, b):
        r = Y - X @ w[:, 0] - b
        return np.mean(np.maximum(0.8 * r, -0.2 * r)) + 0.01 * np.abs(w).sum()

    peer = QuantileRegressor(quantile=0.8, alpha=0.01).fit(X, Y)
    ours = optimum("quantile", Y, params={"quantile": 0.8}, l1=0.01, learning_rate=0.02, max_epochs=3000)
    check(objective, ours, peer.coef_, peer.intercept_)


def test_poisson():
    def objective(w, b):
        z = X @ w[:, 0] + b
        return np.mean(np.exp(z) - COUNTS * z) / COUNTS.mean() + 0.005 * (w**2).sum()

    # our target is divided by its mean, theirs is not: so is the penalty
    peer = PoissonRegressor(alpha=0.01 * COUNTS.mean(), tol=1e-8).fit(X, COUNTS)
    check(objective, optimum("poisson", COUNTS, l2=0.01), peer.coef_, peer.intercept_)
