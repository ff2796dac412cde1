"""Metrics of fitted models on other rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from automl.errors import Fault, SettingError
from automl.metrics import Metric, Predictions, Truth, final_metrics, metric_for
from automl.table import Target

__all__ = ["evaluate_model", "evaluation", "predictions_of"]


def predictions_of(model: Any, X: Any, target: Target) -> Predictions:
    """Return the predictions of a fitted model for a raw table; labels as codes."""
    if target.task == "regression":
        return Predictions(np.asarray(model.predict(X), dtype=float))
    probabilities = model.predict_proba(X) if hasattr(model, "predict_proba") else None
    decision = None
    if probabilities is None and hasattr(model, "decision_function"):
        decision = model.decision_function(X)
    return Predictions(target.encode(model.predict(X)), probabilities, decision)


def evaluation(
    models: Mapping[str, Any], X: Any, y: Any, target: Target, metric: Metric, sample_weight: Any = None
) -> pd.DataFrame:
    """Return the score and all metrics of the task for each model.

    Parameters
    ----------
    models : mapping of str to estimator
        Fitted models by name.
    X, y : table and target
        Rows that the models did not see.
    target : Target
        The target of training.
    metric : Metric
        The score; its column has its name.
    sample_weight : array-like of shape (n,), optional
        Row weights.
    """
    codes = target.encode(y)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    n_classes = 0 if target.classes is None else len(target.classes)
    truth = Truth(codes, n_classes, weight, target.positive)
    rows = {}
    for name, model in models.items():
        found = predictions_of(model, X, target)
        (metrics,) = final_metrics(target.task, truth, [found])
        rows[name] = {metric.name: metric(codes, found, weight), **metrics}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def evaluate_model(model: Any, metadata: Mapping[str, Any], X: Any, y: Any) -> pd.DataFrame:
    """Return the score and all metrics of a loaded model, by the metadata that was saved with it.

    Raises
    ------
    SettingError
        If the model was not saved by a search.
    """
    if "task" not in metadata:
        came = "one without the task in its metadata"
        raise SettingError(Fault("model", "must be a model of a search", came, "Export one of a search."))
    task, classes = metadata["task"], None
    if metadata.get("classes") is not None:
        classes = np.asarray(model.classes_)
    positive = metadata.get("positive_class")
    known = [] if classes is None else classes.tolist()
    code = known.index(positive) if positive in known else 1
    target = Target(task, np.empty(0), classes, str(metadata.get("target", "y")), positive=code)
    scoring = str(metadata.get("scoring") or "").split(", ")[0]
    n_classes = len(known)
    try:
        metric = metric_for(scoring or None, task, n_classes, labels=classes, positive=code)
    except SettingError:  # a scorer of a program
        metric = metric_for(None, task, n_classes, labels=classes, positive=code)
    return evaluation({"model": model}, X, y, target, metric)
