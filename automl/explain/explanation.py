"""The explanation of a model: important columns, effects, coefficients, and the rows it is most wrong about."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from automl.explain.effects import Effect, effect_of
from automl.explain.importance import permutation_importance
from automl.explain.parameters import coefficients, tree_importances
from automl.explain.rows import Array, Part, sample_parts
from automl.metrics import Metric, Predictions

__all__ = ["Explanation", "explain", "worst_rows"]

_MOST_ROWS = 2000  # that are shuffled
_REPEATS = 5
_SHARE = 0.7  # of the time for importances
_SMALLEST = 1e-12  # probability in a logarithm


@dataclass(frozen=True)
class Explanation:
    """The columns that a model depends on, and how.

    Parameters
    ----------
    importances : DataFrame
        Loss of score when a column is shuffled, with a 95 % interval; see `permutation_importance`.
    effects : dict of str to Effect
        Partial dependence and curves of single rows, for the most important columns.
    worst_rows : DataFrame
        Rows by ``loss``, largest first: ``true``, ``predicted``, and the columns of the table; the index is that of
        the table.
    coefficients : DataFrame or None
        Of a linear model, each with its raw column.
    tree_importances : Series or None
        A tree model's own importances, by raw column.
    score_name : str
        Name of the score.
    source : str
        The model and the rows.
    classes : tuple or None
        Labels; None for numbers.
    """

    importances: pd.DataFrame
    effects: dict[str, Effect]
    worst_rows: pd.DataFrame
    coefficients: pd.DataFrame | None
    tree_importances: pd.Series[float] | None
    score_name: str
    source: str
    classes: tuple[Any, ...] | None = field(default=None)

    def __repr__(self) -> str:
        head = self.importances[["importance", "low", "high"]].head(10)
        return f"Explanation of {self.source}: loss of {self.score_name} without a column\n{head.to_string()}"


def explain(
    parts: Sequence[Part],
    metric: Metric,
    *,
    pipeline: Any = None,
    classes: Sequence[Any] | None = None,
    decode: Callable[[Array], Array],
    source: str = "",
    top: int = 4,
    seconds: float = 60.0,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Explain a model on rows that it did not see in training.

    Parameters
    ----------
    parts : sequence of Part
        Rows and models. More than 2,000 rows are sampled for the importances.
    metric : Metric
        The score.
    pipeline : Pipeline, optional
        Fitted steps, for coefficients and tree importances.
    classes : sequence, optional
        Labels of the class codes.
    decode : callable
        Returns labels for codes.
    source : str
        The model and the rows, as text.
    top : int
        Columns to compute effects of.
    seconds : float
        Time limit; one shuffle of every column and one effect are computed in any case.
    seed : int
        Seed of samples and shuffles.
    progress : callable
        Called with a text at each stage.
    """
    start = time.monotonic()
    columns = [str(name) for name in parts[0].frame.columns]
    progress("shuffling columns")
    table = permutation_importance(
        sample_parts(parts, _MOST_ROWS, seed),
        metric,
        n_repeats=_REPEATS,
        seed=seed,
        deadline=start + _SHARE * seconds,
    )
    effects: dict[str, Effect] = {}
    for group in table["columns"].head(top):
        if effects and time.monotonic() > start + seconds:
            break
        progress(f"effect of {group[0]}")
        effects[group[0]] = effect_of(parts, group[0], seed=seed)
    return Explanation(
        importances=table,
        effects=effects,
        worst_rows=worst_rows(parts, decode),
        coefficients=None if pipeline is None else coefficients(pipeline, columns),
        tree_importances=None if pipeline is None else tree_importances(pipeline, columns),
        score_name=metric.name,
        source=source,
        classes=None if classes is None else tuple(classes),
    )


def worst_rows(parts: Sequence[Part], decode: Callable[[Array], Array], n: int = 20) -> pd.DataFrame:
    """Return the rows with the largest losses: minus the log probability of the true class, or the absolute error.

    Without probabilities the loss of a class is 1 for a wrong one, else 0.
    """
    tables = []
    for part in parts:
        found = part.predict(part.frame)
        table = part.frame.set_axis(part.rows, axis="index")
        table.insert(0, "predicted", decode(found.values), allow_duplicates=True)
        table.insert(0, "true", decode(part.y), allow_duplicates=True)
        table.insert(
            0, "loss", _losses(part.y, found, numbers=parts[0].y.dtype.kind == "f"), allow_duplicates=True
        )
        tables.append(table)
    whole = pd.concat(tables)
    order = np.argsort(-whole.iloc[:, 0].to_numpy(dtype=float), kind="stable")[:n]
    return whole.iloc[order].rename_axis("row")


def _losses(y: Array, found: Predictions, *, numbers: bool) -> Array:
    if numbers:
        return np.asarray(np.abs(found.values - y))
    if found.probabilities is None:
        return np.asarray(found.values != y, dtype=float)
    true = found.probabilities[np.arange(len(y)), y.astype(np.intp)]
    return np.asarray(-np.log(np.maximum(true.astype(float), _SMALLEST)))
