"""Coefficients and tree importances of a fitted model, by raw column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from automl.explain.rows import Array

__all__ = ["coefficients", "raw_column", "tree_importances"]

_INSIDE = ("model_", "regressor_", "estimator_", "best_estimator_")  # of estimators that wrap another one
_SEVERAL = "(several columns)"


def coefficients(pipeline: Any, columns: Sequence[str]) -> pd.DataFrame | None:
    """Return the coefficients of a linear model, each with its raw column; None for another model.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its last step is the model.
    columns : sequence of str
        The raw columns.

    Returns
    -------
    DataFrame or None
        ``column``, ``feature`` (the prepared column) and a column of coefficients for each class, or ``coefficient``;
        largest first. Numbers are scaled by the pipeline, so coefficients can be compared.
    """
    model = _with(pipeline.steps[-1][1], "coef_")
    features = _features(pipeline)
    if model is None or features is None:
        return None
    values = np.atleast_2d(np.asarray(model.coef_, dtype=float))
    if values.shape[1] != len(features):
        values = values.T
    if values.shape[1] != len(features):
        return None
    labels = [str(label) for label in getattr(pipeline, "classes_", ())]
    heads = labels if len(labels) == len(values) and len(values) > 1 else ["coefficient"]
    table = pd.DataFrame({"column": [raw_column(name, columns) for name in features], "feature": features})
    for head, row in zip(heads, values, strict=False):
        table[head] = row
    order = np.argsort(-np.abs(values).max(axis=0), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def tree_importances(pipeline: Any, columns: Sequence[str]) -> pd.Series[float] | None:
    """Return the share of each raw column in a tree model's own importances; None for another model."""
    model = _with(pipeline.steps[-1][1], "feature_importances_")
    features = _features(pipeline)
    if model is None or features is None:
        return None
    shares = np.asarray(model.feature_importances_, dtype=float)
    if len(shares) != len(features) or not shares.sum():
        return None
    by_column = (
        pd.Series(shares / shares.sum()).groupby([raw_column(name, columns) for name in features]).sum()
    )
    found: pd.Series[float] = by_column.sort_values(ascending=False).rename("importance")
    return found


def raw_column(feature: str, columns: Sequence[str]) -> str:
    """Return the raw column that a prepared column was made of.

    Examples
    --------
    >>> raw_column("categorical__plan_pro", ["plan", "plan_b"]), raw_column("missing__missingindicator_age", ["age"])
    ('plan', 'age')
    """
    name = feature.partition("__")[2] or feature
    name = name.removeprefix("missingindicator_")
    fitting = [column for column in columns if name == column or name.startswith(f"{column}_")]
    return max(fitting, key=len) if fitting else _SEVERAL


def _with(model: Any, attribute: str) -> Any:
    """Return the model, or the one inside of it, that has an attribute; None without one."""
    while model is not None:
        if hasattr(model, attribute):
            return model
        model = next((getattr(model, name) for name in _INSIDE if hasattr(model, name)), None)
    return None


def _features(pipeline: Any) -> Array | None:
    """Return the names of the prepared columns, if every step knows them."""
    try:
        names: Array = pipeline[:-1].get_feature_names_out()
    except (AttributeError, ValueError):
        return None
    return names
