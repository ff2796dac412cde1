"""Contributions of raw columns to the prediction of single rows, by SHAP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from automl.errors import Fault, SettingError
from automl.explain.rows import Array
from automl.metrics import Predictions

__all__ = ["row_contributions"]

_EVALUATIONS = 10  # permutations of the columns


def row_contributions(
    predict: Callable[[pd.DataFrame], Predictions],
    row: pd.DataFrame,
    background: pd.DataFrame,
    *,
    classes: tuple[Any, ...] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much each raw column moves the prediction of a row away from the mean prediction.

    The contributions and the mean sum to the prediction. Raw columns are replaced as a whole, so a column that a model
    sees as several prepared columns has one contribution.

    Parameters
    ----------
    predict : callable
        Returns the `Predictions` for a table of typed columns.
    row : DataFrame of shape (1, p)
        The row.
    background : DataFrame of shape (n, p)
        Rows whose values stand in for those of the row.
    classes : tuple, optional
        Labels of the class codes; None for numbers.
    seed : int
        Seed of the order of the columns.

    Returns
    -------
    DataFrame
        A row for each column, largest contribution first: ``value`` (that of the row), and ``contribution``; three
        classes or more have a column each. Of two classes it is that of the second. ``attrs["mean"]`` is the mean
        prediction.

    Raises
    ------
    SettingError
        If shap is not installed, or ``row`` is not one row.

    References
    ----------
    S. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
    """
    if len(row) != 1:
        raise SettingError(Fault("X", "must be one row", f"{len(row):,} rows"))
    columns = list(row.columns)
    cells = pd.concat([background, row], ignore_index=True)

    def by_position(positions: Array) -> Array:
        """Return predictions for rows whose cells are given by their positions in ``cells``."""
        taken = positions.astype(np.intp)
        table = {name: cells[name].iloc[taken[:, k]].reset_index(drop=True) for k, name in enumerate(columns)}
        found = predict(pd.DataFrame(table))
        return _outputs(found)

    places = np.tile(np.arange(len(cells), dtype=float)[:, None], len(columns))
    with _quiet() as shap:
        masker = shap.maskers.Independent(places[:-1], max_samples=len(background))
        explainer = shap.explainers.Permutation(by_position, masker, seed=seed)
        n_evaluations = _EVALUATIONS * (2 * len(columns) + 1)
        found = explainer(places[-1:], max_evals=n_evaluations, silent=True)
    values = np.asarray(found.values)[0]
    table = pd.DataFrame(
        {"value": row.iloc[0].to_numpy(dtype=object)}, index=pd.Index(columns, name="column")
    )
    if values.ndim == 1:
        table["contribution"] = values
    else:
        for label, one in zip(classes or range(values.shape[1]), values.T, strict=True):
            table[label] = one
    largest = np.abs(values.reshape(len(columns), -1)).max(axis=1)
    table = table.iloc[np.argsort(-largest, kind="stable")]
    table.attrs["mean"] = np.asarray(found.base_values)[0].tolist()
    return table


def _outputs(found: Predictions) -> Array:
    """Return numbers, the probability of the second of two classes, or all probabilities."""
    if found.probabilities is not None:
        return np.asarray(
            found.probabilities[:, 1] if found.probabilities.shape[1] == 2 else found.probabilities
        )
    return np.asarray(found.values if found.decision is None else found.decision, dtype=float)


@contextmanager
def _quiet() -> Iterator[Any]:
    """Import shap; keep its warnings and its seed of NumPy's global generator to itself."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                import shap
            except ImportError as error:
                remedy = "pip install 'automl-orchestrator[shap]'"
                raise SettingError(Fault("shap", "must be installed", "none", remedy)) from error
            yield shap
    finally:
        np.random.set_state(state)  # noqa: NPY002
