"""Families that train on a transformed target, and the estimator that does the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from typing_extensions import override

from automl.families.base import Family, Trainer, fit_weighted
from automl.families.problem import Array, Fold, Problem, StreamedFit
from automl.metrics import Predictions
from automl.table import TARGET_TRANSFORMS, TargetTransform

__all__ = ["TransformedRegressor", "transformed"]


class TransformedRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Fit a regressor to a transformed target and predict in the unit of the target.

    scikit-learn's `TransformedTargetRegressor` does the same; this one also adopts a regressor that is fitted.

    Parameters
    ----------
    regressor : regressor
        The regressor to fit.
    transform : {"clip", "log", "quantile"}
        See `TargetTransform`.
    random_state : int
        Seed of the transform.

    Attributes
    ----------
    regressor_ : regressor
        The fitted regressor.
    transform_ : TargetTransform
        The fitted transform.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> growth = TransformedRegressor(LinearRegression(), "log").fit(X, [1.0, 10.0, 100.0])
    >>> growth.predict([[1.5]]).round(1).tolist()
    [31.6]
    """

    def __init__(self, regressor: Any, transform: str = "log", random_state: int = 0) -> None:
        self.regressor = regressor
        self.transform = transform
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransformedRegressor:
        """Fit a copy of the regressor.

        Parameters
        ----------
        X : array of shape (n, d)
            Rows.
        y : array of shape (n,)
            Numbers.
        sample_weight : array of shape (n,), optional
            Row weights, for a regressor that takes them.
        """
        y = np.asarray(y, dtype=float)
        self.transform_ = TargetTransform(self.transform, self.random_state).fit(y)
        values = self.transform_.transform(y)
        self.regressor_ = fit_weighted(deepcopy(self.regressor), X, values, sample_weight)
        return self

    def adopt(self, regressor: Any, transform: TargetTransform) -> TransformedRegressor:
        """Take a fitted regressor and its fitted transform."""
        self.regressor_, self.transform_ = regressor, transform
        return self

    def predict(self, X: Any) -> Array:
        """Return numbers in the unit of the target, shape (n,)."""
        check_is_fitted(self)
        return self.transform_.inverse_transform(np.asarray(self.regressor_.predict(X)).reshape(-1))


class _TransformedTrainer(Trainer):
    """Trains on the transformed target of a fold; scores are in the unit of the target."""

    def __init__(self, trainer: Trainer, transform: TargetTransform, unfitted: Callable[[int], Any]) -> None:
        self._trainer, self._transform, self._unfitted = trainer, transform, unfitted
        self.failures, self.keeps_model, self.parts = trainer.failures, trainer.keeps_model, trainer.parts

    @property
    @override
    def trials(self) -> Array:
        return self._trainer.trials

    @property
    @override
    def updated(self) -> Array:
        return self._trainer.updated

    @property
    @override
    def model_step(self) -> int:
        return self._trainer.model_step

    @property
    @override
    def reached(self) -> int:
        return self._trainer.reached

    @override
    def rewind(self, rung: int) -> None:
        self._trainer.rewind(rung)

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        return self._trainer.advance(rung, stop)

    @override
    def predict(self, X: Array) -> list[Predictions]:
        found = self._trainer.predict(X)
        return [Predictions(self._transform.inverse_transform(one.values)) for one in found]

    @override
    def select(self, positions: Sequence[int]) -> None:
        self._trainer.select(positions)

    @override
    def estimator(self, position: int) -> Any:
        return self._unfitted(position).adopt(self._trainer.estimator(position), self._transform)

    @override
    def found_params(self, position: int) -> dict[str, int]:
        return self._trainer.found_params(position)

    @override
    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self._trainer.history(position)


class _TransformedFamily:
    """A family whose models see a transformed target; everything else is that of the family."""

    scales_target = True  # a standardised target would have other logarithms

    def __init__(self, family: Family, transform: str) -> None:
        self._family, self._transform = family, transform

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while the object is copied, it has no family yet
            raise AttributeError(name)
        return getattr(self._family, name)

    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        """Return a trainer as `Family.trainer` does."""
        if problem.task != "regression":
            return self._family.trainer(configurations, seeds, problem, fold)
        # One transform serves the cohort: the seed of the data, not that of a trial.
        transform = TargetTransform(self._transform, fold.order_seed[0]).fit(fold.y)
        y_valid = transform.transform(fold.y_valid) if len(fold.y_valid) else fold.y_valid
        seen = replace(fold, y=transform.transform(fold.y), y_valid=y_valid)
        trainer = self._family.trainer(configurations, seeds, _transformed_problem(problem), seen)
        return _TransformedTrainer(
            trainer, transform, lambda i: self.estimator(configurations[i], seeds[i], problem)
        )

    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        """Return the unfitted estimator of a configuration."""
        model = self._family.estimator(params, seed, _transformed_problem(problem))
        return TransformedRegressor(model, self._transform, seed) if problem.task == "regression" else model

    def fit_streamed(self, fit: StreamedFit) -> Any:
        """Return an estimator fitted to streamed rows as `Family.fit_streamed` does."""
        if fit.problem.task != "regression":
            return self._family.fit_streamed(fit)
        model, fold = fit.model, replace(fit.fold, y=fit.model.transform_.transform(fit.fold.y))
        inside = replace(fit, model=model.regressor_, problem=_transformed_problem(fit.problem), fold=fold)
        found = self._family.fit_streamed(inside)
        return None if found is None else copy(model).adopt(found, model.transform_)

    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Any = None) -> str:
        """Return the reason why parameters are not for a problem, whose transformed target may be negative."""
        return self._family.incompatibility(params, _transformed_problem(problem), metric)


def _transformed_problem(problem: Problem) -> Problem:
    return replace(problem, least=-1.0) if problem.task == "regression" else problem


def transformed(family: Family, preprocess: dict[str, Any]) -> Family:
    """Return the family as a preprocessing uses it: on a transformed target, if it names a transform."""
    transform = (preprocess.get("target") or {}).get("transform", "none")
    return cast(Family, _TransformedFamily(family, transform)) if transform in TARGET_TRANSFORMS else family
