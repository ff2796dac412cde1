"""Metrics and objectives: names, directions and values; the one place that knows a sign.

Scores follow scikit-learn: of two scores the greater is the better, whatever the scorer. Values are what people
read: what a scorer returned, seconds, bytes. Metrics for people carry their plain names and plain values
(``log_loss``, ``rmse``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy, mannwhitneyu
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    get_scorer,
    get_scorer_names,
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)
from sklearn.utils.metaestimators import available_if

from automl.constraints import Number, Parameter, Section
from automl.errors import Fault, SettingError, nearest

__all__ = [
    "COSTS",
    "DEFAULT_SCORING",
    "Direction",
    "Metric",
    "Objectives",
    "Predictions",
    "Scorer",
    "final_metrics",
    "metric_for",
    "objectives_for",
    "to_score",
]

Array = npt.NDArray[Any]
Direction = Literal["maximize", "minimize"]
Scorer = str | Callable[..., float]

_LIMIT = Number(0, open_low=True)

COSTS = Section(
    {
        "fit_seconds": Parameter(_LIMIT, None, "seconds of training a fold; in a cohort a trial's share"),
        "predict_seconds": Parameter(_LIMIT, None, "seconds to prepare and predict 1,000 rows"),
        "model_bytes": Parameter(_LIMIT, None, "bytes of the fitted pipeline's file"),
    }
)
"""What is measured of a trial if a search asks for it, as an objective or under a limit; the less the better."""

DEFAULT_SCORING = {
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}


@dataclass(frozen=True)
class Predictions:
    """What a trial says about the rows of a fold.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Predicted class codes or numbers.
    probabilities : ndarray of shape (n, n_classes) or None
        Class probabilities, where the model has them.
    decision : ndarray of shape (n,) or (n, n_classes) or None
        Decision scores, where the model has them and no probabilities.
    """

    values: Array
    probabilities: Array | None = None
    decision: Array | None = None

    def finite(self) -> bool:
        """Return whether there is no NaN and no infinity among them."""
        said = (self.values, self.probabilities, self.decision)
        return all(np.isfinite(part).all() for part in said if part is not None)

    def proba(self) -> Array:
        """Return the class probabilities; AttributeError where there are none, as scikit-learn's models say it."""
        if self.probabilities is None:
            raise AttributeError("these predictions have no class probabilities")
        return self.probabilities


class _FixedRegressor(RegressorMixin, BaseEstimator):
    """Predictions in the shape of a fitted estimator, which is what scikit-learn's scorers ask."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def predict(self, X: Any) -> Array:
        return self.predictions.values


class _FixedClassifier(ClassifierMixin, BaseEstimator):
    """The same for a classifier; it has only the methods its model had."""

    def __init__(self, predictions: Predictions, n_classes: int) -> None:
        self.predictions = predictions
        self.classes_ = np.arange(n_classes)

    def predict(self, X: Any) -> Array:
        return self.predictions.values

    @available_if(lambda self: self.predictions.probabilities is not None)
    def predict_proba(self, X: Any) -> Array:
        return self.predictions.proba()

    @available_if(lambda self: self.predictions.decision is not None)
    def decision_function(self, X: Any) -> Array:
        return cast(Array, self.predictions.decision)


@dataclass(frozen=True)
class Metric:
    """A scikit-learn scorer applied to predictions already made.

    Parameters
    ----------
    name : str
        The scorer's name.
    score : callable
        ``score(y, said) -> values``, one for each `Predictions` of the sequence ``said``; AttributeError where it needs
        probabilities and there are none.
    n_classes : int
        Classes of the target; 0 for regression.
    direction : {"maximize", "minimize"}
        Where what the scorer returns should go.
    """

    name: str
    score: Callable[[Array, Sequence[Predictions]], Sequence[float] | Array]
    n_classes: int
    direction: Direction = "maximize"

    def __call__(self, y: Array, predictions: Predictions) -> float:
        """Return the score of ``predictions`` for the true codes or numbers ``y`` of shape (n,).

        The greater is the better, whatever the direction. NaN where they are not finite, or where the score is not
        defined (ROC AUC of one class).
        """
        return self.each(y, [predictions])[0]

    def each(self, y: Array, said: Sequence[Predictions]) -> list[float]:
        """Return the scores of several predictions for the same rows, each what it is alone."""
        scores = dict.fromkeys(range(len(said)), float("nan"))
        finite = [i for i, predictions in enumerate(said) if predictions.finite()]
        if finite:
            with _trusted():
                found = self.score(y, [said[i] for i in finite])
            scores |= {
                i: to_score(float(value), self.direction) for i, value in zip(finite, found, strict=True)
            }
        return list(scores.values())

    def needs_probabilities(self) -> bool:
        """Return whether decision scores are not enough."""
        try:
            self(*_probe(self.n_classes, probabilities=False))
        except AttributeError:
            return True
        return False


def to_score(value: float, direction: Direction) -> float:
    """Return a value as a score, of which the greater is the better; and a score as the value that it was.

    Examples
    --------
    >>> to_score(0.9, "maximize"), to_score(2.5, "minimize"), to_score(-2.5, "minimize")
    (0.9, -2.5, 2.5)
    """
    return value if direction == "maximize" else -value


@dataclass(frozen=True)
class Objectives:
    """What a search looks for.

    Parameters
    ----------
    names : tuple of str
        Scorers and costs, the one that ranks trials first.
    directions : tuple of {"maximize", "minimize"}
        Where the value of each should go.
    metrics : tuple of Metric
        Those that are scorers, in the same order; the first of them is the first of all.
    """

    names: tuple[str, ...]
    directions: tuple[Direction, ...]
    metrics: tuple[Metric, ...]

    @property
    def metric(self) -> Metric:
        """What ranks trials and is looked at at rungs."""
        return self.metrics[0]

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives that are measured."""
        return tuple(name for name in self.names if name in COSTS.parameters)


def objectives_for(
    scoring: Scorer | Sequence[Scorer] | None,
    directions: Sequence[Direction] | None,
    task: str,
    n_classes: int = 0,
) -> Objectives:
    """Return the objectives of a search.

    Parameters
    ----------
    scoring : str, callable, sequence of them, or None
        A scorer as `metric_for` takes it, or several objectives: scorers and names of `COSTS`, a scorer first.
    directions : sequence of {"maximize", "minimize"} or None
        One for each objective. None: scores are maximised and costs minimised.
    task, n_classes
        As for `metric_for`.

    Raises
    ------
    SettingError
        With everything that is wrong with them.

    Examples
    --------
    >>> found = objectives_for(["roc_auc", "model_bytes"], None, "binary", 2)
    >>> found.names, found.directions, found.metric.name, found.costs
    (('roc_auc', 'model_bytes'), ('maximize', 'minimize'), 'roc_auc', ('model_bytes',))
    """
    asked: list[Any] = list(scoring) if isinstance(scoring, list | tuple) else [scoring]
    faults: list[Fault] = []
    costs = [one if isinstance(one, str) and one in COSTS.parameters else None for one in asked]
    if not asked or costs[0] is not None:
        rule = "must begin with a scorer, which curves show and the winner is chosen by"
        faults.append(Fault("scoring", rule, f'"{costs[0]}"' if asked else "none"))
    given: list[Any] = [None] * len(asked) if directions is None else list(directions)
    if len(given) != len(asked):
        faults.append(Fault("directions", f"must be {len(asked)}, one for each objective", str(len(given))))
        given = [None] * len(asked)
    metrics: list[Metric] = []
    names: list[str] = []
    found: list[Direction] = []
    for one, cost, said in zip(asked, costs, given, strict=True):
        direction: Direction = "maximize" if cost is None else "minimize"
        if said in ("maximize", "minimize"):
            direction = said
        elif said is not None:
            faults.append(Fault("directions", 'must be "maximize" or "minimize"', repr(said)))
        found.append(direction)
        if cost is not None:
            names.append(cost)
            continue
        try:
            metrics.append(replace(metric_for(one, task, n_classes), direction=direction))
            names.append(metrics[-1].name)
        except SettingError as error:
            faults += error.faults
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        faults.append(Fault("scoring", "must name each objective once", f"{', '.join(repeated)} twice"))
    if faults:
        raise SettingError(faults)
    return Objectives(tuple(names), tuple(found), tuple(metrics))


def metric_for(scoring: str | Callable[..., float] | None, task: str, n_classes: int = 0) -> Metric:
    """Return the metric that ranks trials.

    Parameters
    ----------
    scoring : str, callable or None
        A scikit-learn scorer or its name; it sees classes as codes 0, 1, ... in the order of the sorted labels. None
        takes the task's default: ``roc_auc``, ``neg_log_loss`` or ``neg_root_mean_squared_error``.
    task : {"binary", "multiclass", "regression"}
        What the target asks for.
    n_classes : int
        Classes of the target; 0 for regression.

    Raises
    ------
    SettingError
        If there is no such scorer, or it cannot score such a target.
    """
    scoring = DEFAULT_SCORING[task] if scoring is None else scoring
    if not isinstance(scoring, str) and not callable(scoring):
        rule, remedy = (
            "must be a scorer, the name of one, or a list of objectives",
            "Every metric of the task is shown in any case.",
        )
        raise SettingError(Fault("scoring", rule, f"{type(scoring).__name__} {scoring!r}", remedy))
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise SettingError(
            Fault(
                "scoring",
                "must be a scorer of scikit-learn",
                f'"{scoring}"',
                nearest(scoring, [*COSTS.parameters, *get_scorer_names()]),
            )
        )
    metric = _metric(scoring, n_classes)
    try:
        metric(*_probe(n_classes, probabilities=n_classes > 0))
    except Exception as error:
        raise SettingError(
            Fault(
                "scoring",
                f"must be able to score a {task} target",
                f'"{metric.name}", which says: {error}',
                f'Leave it out for "{DEFAULT_SCORING[task]}", or name another.',
            )
        ) from error
    return metric


def final_metrics(task: str, n_classes: int, y: Array, said: Sequence[Predictions]) -> list[dict[str, float]]:
    """Return the task's metrics by plain name, for each of a cohort's predictions those that it and ``y`` allow.

    Precision, recall and F1 are of the second class for binary targets and unweighted means over the classes
    that occur for others; ROC AUC of more than two classes is one against the rest. Ratios of nothing to
    nothing are 0, as in scikit-learn.
    """
    finite = [predictions for predictions in said if predictions.finite()]
    if not finite:
        return [{} for _ in said]
    with _trusted():
        reports = iter(_of_numbers(y, finite) if task == "regression" else _of_classes(n_classes, y, finite))
    return [
        {name: float(value) for name, value in next(reports).items() if np.isfinite(value)}
        if predictions.finite()
        else {}
        for predictions in said
    ]


@contextmanager
def _trusted() -> Iterator[None]:
    """Let scikit-learn believe what was checked here already; on a fold of few rows its checks are most of the time."""
    with config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        # Of a fold that lacks a class, which is no news.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true", UserWarning)
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)
        yield


def _of_numbers(y: Array, said: Sequence[Predictions]) -> list[dict[str, float]]:
    return [
        {
            "rmse": root_mean_squared_error(y, predictions.values),
            "mae": mean_absolute_error(y, predictions.values),
            "r2": r2_score(y, predictions.values) if len(y) > 1 else np.nan,
        }
        for predictions in said
    ]


def _of_classes(n_classes: int, y: Array, said: Sequence[Predictions]) -> list[dict[str, float]]:
    # Most of scikit-learn's time is checking its input: each trial has classes of its own, and all go in one call.
    k = len(said)
    shift = n_classes * np.arange(k)[:, None]
    values = np.stack([predictions.values for predictions in said]).astype(np.intp)
    by_class = precision_recall_fscore_support(
        (y.astype(np.intp) + shift).ravel(),
        (values + shift).ravel(),
        labels=np.arange(k * n_classes),
        average=None,
        zero_division=0,
    )
    precision, recall, f1, support = (np.reshape(part, (k, n_classes)) for part in by_class)
    reports: list[dict[str, float]] = []
    for i in range(k):
        true = support[i] > 0
        of = [1] if n_classes == 2 else true | (np.bincount(values[i], minlength=n_classes) > 0)
        reports.append(
            {
                "accuracy": np.average(recall[i], weights=support[i]),
                "balanced_accuracy": recall[i][true].mean(),
                "precision": precision[i][of].mean(),
                "recall": recall[i][of].mean(),
                "f1": f1[i][of].mean(),
            }
        )
    # Hinge has no probabilities, and a fold may lack a class: a metric that is not defined is left out.
    areas = losses = np.full(k, np.nan)
    if len(np.unique(y)) == n_classes:
        areas = _roc_auc(y, said) if n_classes == 2 else _one_against_rest(y, said)
    if said[0].probabilities is not None:
        losses = -_neg_log_loss(y, said)
    return [
        {**report, "roc_auc": area, "log_loss": loss}
        for report, area, loss in zip(reports, areas, losses, strict=True)
    ]


def _areas(positive: Array, scores: Array) -> Array:
    """Return the areas under the ROC curves of scores of shape (k, n), where ``positive`` of shape (n,) is true.

    An area is the share of pairs of a row of each class that are in the right order, ties counting half, which is what
    the U test of Mann and Whitney counts: Hanley and McNeil, "The meaning and use of the area under a ROC curve",
    Radiology 143 (1982). SciPy's test takes all rows of ``scores`` in one call.
    """
    scores = scores.astype(np.float64)  # the statistic has the type of what it counts in
    ours, others = scores[:, positive], scores[:, ~positive]
    with np.errstate(all="ignore"):  # p-values of the test, which are of no interest here
        test = mannwhitneyu(ours, others, axis=1, method="asymptotic")
    areas: Array = test.statistic / (ours.shape[1] * others.shape[1])
    return areas


def _roc_auc(y: Array, said: Sequence[Predictions]) -> Array:
    positive = y == 1
    if positive.all() or not positive.any():
        return np.full(len(said), np.nan)
    scores = [one.proba()[:, 1] if one.decision is None else one.decision for one in said]
    return _areas(positive, np.stack(scores))


def _one_against_rest(y: Array, said: Sequence[Predictions]) -> Array:
    if said[0].probabilities is None:
        return np.full(len(said), np.nan)
    scores = np.stack([one.proba() for one in said])
    codes = range(scores.shape[2])
    return np.asarray(np.mean([_areas(y == code, scores[:, :, code]) for code in codes], axis=0))


def _neg_log_loss(y: Array, said: Sequence[Predictions]) -> Array:
    """Return minus the relative entropy of what is true and what was said, a mean over the rows.

    It is defined on a fold that lacks a class too. Probabilities are bounded as in scikit-learn's ``log_loss``, so that
    no single row costs infinity.
    """
    probabilities = np.stack([one.proba() for one in said])
    least = np.finfo(probabilities.dtype).eps
    true = np.eye(probabilities.shape[2])[y.astype(np.intp)]
    by_row: Array = entropy(true, np.clip(probabilities, least, 1 - least), axis=2)
    return -np.asarray(by_row.mean(axis=1))


def _neg_rmse(y: Array, said: Sequence[Predictions]) -> list[float]:
    return [-float(root_mean_squared_error(y, one.values)) for one in said]


def _by_scorer(
    scorer: Callable[..., float], n_classes: int
) -> Callable[[Array, Sequence[Predictions]], list[float]]:
    def score(y: Array, said: Sequence[Predictions]) -> list[float]:
        fixed = (_FixedClassifier(one, n_classes) if n_classes else _FixedRegressor(one) for one in said)
        return [scorer(model, y, y) for model in fixed]

    return score


def _metric(scoring: str | Callable[..., float], n_classes: int) -> Metric:
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", type(scoring).__name__)
    # The defaults are asked at every rung, of every trial and fold, and mostly of few rows: a scorer's checks of its
    # input take many times the time of the score itself.
    if scoring == "neg_log_loss" and n_classes:
        return Metric(name, _neg_log_loss, n_classes)
    if scoring == "roc_auc" and n_classes == 2:
        return Metric(name, _roc_auc, n_classes)
    if scoring == "neg_root_mean_squared_error" and not n_classes:
        return Metric(name, _neg_rmse, 0)
    return Metric(name, _by_scorer(get_scorer(scoring), n_classes), n_classes)


def _probe(n_classes: int, *, probabilities: bool) -> tuple[Array, Predictions]:
    """Return a tiny target and predictions for it, to see whether a scorer can work at all."""
    if not n_classes:
        y = np.array([1.0, 2.0, 3.0, 4.0])
        return y, Predictions(values=y[::-1])
    y = np.tile(np.arange(n_classes), 2)
    scores = np.linspace(0.1, 0.9, y.size * n_classes).reshape(y.size, n_classes)
    scores /= scores.sum(axis=1, keepdims=True)
    values = scores.argmax(axis=1)
    if probabilities:
        return y, Predictions(values, probabilities=scores)
    return y, Predictions(values, decision=scores[:, 1] if n_classes == 2 else scores)
