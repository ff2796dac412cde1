"""Row weights of training and of scores, from sample weights and class weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from automl.errors import Fault, InputError, SettingError
from automl.table.splits import Folds
from automl.table.target import Target, code_of

__all__ = ["RowWeights", "weights_faults"]


@dataclass(frozen=True, eq=False)
class RowWeights:
    """The weights of n rows; None weighs all rows equally.

    Parameters
    ----------
    fit : ndarray of shape (n,) or None
        Weights of training: sample weights times class weights, with a mean of one.
    score : ndarray of shape (n,) or None
        Weights of scores and reported metrics: the sample weights, with a mean of one.
    by_class : tuple of float
        Class weights, by class code; empty without class weights.

    Examples
    --------
    >>> weights = RowWeights.of(Target.of(["no", "no", "no", "yes"]), class_weight="balanced")
    >>> weights.fit.round(2).tolist(), weights.score
    ([0.67, 0.67, 0.67, 2.0], None)
    """

    fit: np.ndarray | None = None
    score: np.ndarray | None = None
    by_class: tuple[float, ...] = ()

    @classmethod
    def of(cls, target: Target, sample_weight: Any = None, class_weight: Any = None) -> Self:
        """Return the weights of the rows of a target.

        Parameters
        ----------
        target : Target
            The encoded target of n rows.
        sample_weight : array-like of shape (n,), optional
            Finite numbers of at least 0, checked by `weights_faults`.
        class_weight : {"balanced"}, mapping of label to number, or tuple by class code, optional
            Weight of each class; labels without one have 1. Balanced: in inverse proportion to the rows of a class.

        Raises
        ------
        SettingError
            If class weights are given for a regression, or are not numbers above 0 by label.
        """
        score = None if sample_weight is None else _mean_one(np.asarray(sample_weight, dtype=float))
        if class_weight is None:
            return cls(score, score)
        by_class = _by_class(target, class_weight)
        fit = by_class[target.values] * (1.0 if score is None else score)
        return cls(_mean_one(fit), score, tuple(by_class.tolist()))

    def check(self, folds: Folds) -> None:
        """Raise SettingError if all rows of one side of a fold have weight 0."""
        if self.score is None:
            return
        for number, fold in enumerate(folds):
            for side, rows in zip(("training", "validation"), fold, strict=True):
                if not self.score[rows].any():
                    came = f"none in fold {number}"
                    raise SettingError(
                        Fault("sample_weight", f"must have {side} rows of weight above 0 in every fold", came)
                    )


def weights_faults(sample_weight: Any, n_rows: int) -> list[Fault]:
    """Return the faults of sample weights for a table of ``n_rows`` rows."""
    rule = "must be one finite number of at least 0 a row, not all zero"
    try:
        weight = np.asarray(sample_weight, dtype=float)
    except (TypeError, ValueError):
        return [Fault("sample_weight", rule, "values that are no numbers")]
    if weight.shape != (n_rows,):
        shape = f"shape {weight.shape}" if weight.ndim != 1 else f"{len(weight)} for {n_rows} rows"
        return [Fault("sample_weight", rule, shape)]
    bad = ~np.isfinite(weight) | (weight < 0)
    if bad.any():
        return [Fault("sample_weight", rule, f"{weight[bad][0]:g} in {bad.sum()} of {n_rows} rows")]
    return [] if weight.any() else [Fault("sample_weight", rule, "0 in all rows")]


def _by_class(target: Target, class_weight: Any) -> np.ndarray:
    """Return the weight of each class code."""
    classes = target.classes
    rule = 'must be "balanced" or a number above 0 for each label'
    if classes is None:
        raise SettingError(Fault("class_weight", "must be left out for a regression", repr(class_weight)))
    if class_weight == "balanced":
        rows = np.bincount(target.values, minlength=len(classes))
        return np.asarray(len(target.values) / (len(classes) * np.maximum(rows, 1)))
    if isinstance(class_weight, tuple) and len(class_weight) == len(classes):
        return np.asarray(class_weight, dtype=float)
    if not isinstance(class_weight, Mapping):
        raise SettingError(Fault("class_weight", rule, repr(class_weight)))
    weights, faults = np.ones(len(classes)), list[Fault]()
    for label, weight in class_weight.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < np.inf:
            faults.append(Fault("class_weight", rule, f"{weight!r} for {label!r}"))
            continue
        try:
            weights[code_of(classes, label, "class_weight")] = weight
        except InputError as error:
            faults += error.faults
    if faults:
        raise SettingError(faults)
    return weights


def _mean_one(weight: np.ndarray) -> np.ndarray:
    return np.asarray(weight / weight.mean())
