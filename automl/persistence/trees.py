"""Check the trees of a loaded model: the native code of scikit-learn follows their indices unchecked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["check_trees"]

_LEAF = -1


def check_trees(model: Any) -> None:
    """Raise a ValueError if a tree of a model points outside itself, backwards, or to a column that is missing.

    Parameters
    ----------
    model : estimator
        A fitted model, as a file describes it.
    """
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.neighbors import BallTree, KDTree
    from sklearn.tree._tree import Tree

    for part, n_features in _parts(model):
        if isinstance(part, Tree):
            left, right = part.children_left, part.children_right
            inner = left != _LEAF
            _check(left, right, part.feature, inner, min(n_features, part.n_features))
        elif isinstance(part, TreePredictor):
            nodes = part.nodes
            inner = nodes["is_leaf"] == 0
            _check(nodes["left"], nodes["right"], nodes["feature_idx"], inner, n_features)
            categories = inner & (nodes["is_categorical"] != 0)
            bitsets = min(len(part.raw_left_cat_bitsets), len(part.binned_left_cat_bitsets))
            if (nodes["bitset_idx"][categories] >= bitsets).any():
                raise ValueError("a tree names categories that it does not have")
        elif isinstance(part, BallTree | KDTree):
            _check_neighbors(*part.__getstate__()[:7])


def _check(
    left: np.ndarray, right: np.ndarray, feature: np.ndarray, inner: np.ndarray, n_features: float
) -> None:
    n = len(left)
    if not n:
        raise ValueError("a tree has no node")
    own = np.flatnonzero(inner)
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if (child <= own).any() or (child >= n).any():
            raise ValueError("a tree has a node whose children are no later nodes of it")
    columns = feature[inner].astype(np.int64)
    if (columns < 0).any() or (columns >= n_features).any():
        raise ValueError("a tree splits by a column that the model does not have")


def _check_neighbors(
    data: np.ndarray,
    rows: np.ndarray,
    nodes: np.ndarray,
    bounds: np.ndarray,
    leaf_size: int,
    n_levels: int,
    n_nodes: int,
) -> None:
    n = len(data)
    ends = np.concatenate([nodes["idx_start"], nodes["idx_end"]])
    complete = len(rows) == n and len(nodes) == bounds.shape[1] == n_nodes == 2**n_levels - 1
    if not complete or ((rows < 0) | (rows >= n)).any() or ((ends < 0) | (ends > n)).any():
        raise ValueError("a tree of neighbors names rows that it does not have")


def _parts(model: Any) -> Iterator[tuple[Any, float]]:
    """Yield every object of a model with the number of columns that trees in it are given."""
    seen: dict[int, float] = {}
    rest: list[tuple[Any, float]] = [(model, np.inf)]
    while rest:
        part, columns = rest.pop()
        if isinstance(part, str | bytes | int | float | None) or seen.get(id(part), np.inf) < columns:
            continue
        if id(part) in seen and seen[id(part)] == columns:
            continue
        seen[id(part)] = columns
        yield part, columns
        if isinstance(part, dict):
            inner = list(part.values())
        elif isinstance(part, list | tuple | set):
            inner = list(part)
        elif isinstance(part, np.ndarray):
            inner = part.ravel().tolist() if part.dtype == object else []
        else:
            inner = list(vars(part).values()) if hasattr(part, "__dict__") else []
            columns = _columns(part, columns)
        rest += [(one, columns) for one in inner]


def _columns(part: Any, outer: float) -> float:
    """Return how many columns an object passes to the trees in it: ensembles of trees pass theirs unchecked."""
    from sklearn.ensemble import (
        BaggingClassifier,
        BaggingRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        IsolationForest,
    )
    from sklearn.ensemble._forest import BaseForest
    from sklearn.tree import BaseDecisionTree

    own = vars(part).get("n_features_in_", 0) if hasattr(part, "__dict__") else 0
    if isinstance(part, BaseDecisionTree):
        return min(outer, own)
    ensembles = (
        BaseForest,
        BaggingClassifier,
        BaggingRegressor,
        IsolationForest,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    return float(own) if isinstance(part, ensembles) else np.inf
