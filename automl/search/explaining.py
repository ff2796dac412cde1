"""Rows and models for an explanation: every fold's own model on its validation rows, or new rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import Fault, TableError
from automl.metrics import Predictions
from automl.records import TrialRecord
from automl.search.finish import Winner
from automl.search.plan import Plan
from automl.search.refit import refit
from automl.select import OutOfFold
from automl.table import RowWeights, Target

if TYPE_CHECKING:
    import pandas as pd

    from automl.explain import Explanation, Part

__all__ = ["explained", "explained_row", "fold_parts", "new_part"]

_SHARE = 0.5  # of the time for the models of the folds

Member = tuple[Any, float]  # fitted steps behind the typed columns, and weight


def explained(
    winner: Winner,
    found: OutOfFold,
    best: Any,
    ensemble: Any,
    rows: tuple[Any, Any],
    *,
    top: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Explanation:
    """Return the explanation of the best trial or of the ensemble.

    Parameters
    ----------
    winner : Winner
        The best trial, the table and the folds.
    found : OutOfFold
        The records of the ensemble's trials.
    best : Pipeline or None
        The best trial's fitted steps behind the typed columns; None if it was not refitted.
    ensemble : estimator or None
        The fitted ensemble, to explain it instead of the best trial.
    rows : (X, y)
        New rows, or None and None for the rows of the search.
    top, seconds, progress
        As in `automl.explain.explain`.
    """
    from automl.explain import explain

    if winner.plan.problem.sparse:
        rule, remedy = "must not be a sparse table", 'Look at the model: best_estimator_["model"].'
        raise TableError(Fault("explain", rule, "one", remedy))
    start, target = time.monotonic(), winner.plan.target
    name = f"trial {winner.record.number}" if ensemble is None else "the ensemble"
    if rows[0] is not None:
        fitted = [(best, 1.0)]
        if ensemble is not None:
            fitted = list(zip(ensemble.members_, ensemble.weights_, strict=True))
        parts, source = [new_part(winner, fitted, *rows)], f"{name} on new rows"
    else:
        members = [(winner.record, 1.0)]
        if ensemble is not None:
            records = {record.number: record for record in found.records}
            members = [(records[number], weight) for number, weight in winner.ensemble.record.members]
        parts, source = fold_parts(winner, members, seconds, progress), f"{name} out of fold"
    return explain(
        parts,
        winner.plan.objectives.metric,
        pipeline=best,
        classes=None if target.classes is None else target.classes.tolist(),
        decode=target.decode,
        source=source,
        top=top,
        seconds=seconds - (time.monotonic() - start),
        seed=winner.facts.random_state,
        progress=progress,
    )


def explained_row(winner: Winner, members: Sequence[Member], X: Any, *, n_background: int) -> pd.DataFrame:
    """Return the contributions of raw columns to the prediction of one row; see `row_contributions`.

    Parameters
    ----------
    winner : Winner
        The table, of which rows are sampled as the background.
    members : sequence of (steps, weight)
        Fitted steps behind the typed columns.
    X : table
        One row.
    n_background : int
        Rows of the background.
    """
    from automl.explain import row_contributions

    plan, seed = winner.plan, winner.facts.random_state
    classes = None if plan.target.classes is None else tuple(plan.target.classes.tolist())
    background = plan.frame.sample(min(n_background, len(plan.frame)), random_state=seed)
    predict = _predictor(members, plan.target)
    return row_contributions(predict, plan.columns.transform(X), background, classes=classes, seed=seed)


def fold_parts(
    winner: Winner,
    members: Sequence[tuple[TrialRecord, float]],
    seconds: float,
    progress: Callable[[str], None],
) -> list[Part]:
    """Train trials on each fold, and return its validation rows with that model.

    Parameters
    ----------
    winner : Winner
        The table and the folds.
    members : sequence of (record, weight)
        The best trial, or the trials of the ensemble.
    seconds : float
        Time for the explanation; half of it may be used here. One fold is trained in any case.
    progress : callable
        Called with a text for each fold.
    """
    from automl.explain import Part

    plan, start = winner.plan, time.monotonic()
    parts: list[Part] = []
    for number, (train, valid) in enumerate(plan.folds):
        used = time.monotonic() - start
        if parts and used * (number + 1) / number > _SHARE * seconds:
            break
        progress(f"training fold {number + 1} of {len(plan.folds)}")
        part = _rows_of(plan, train)
        fitted = [(refit(record, part, winner.facts, 1), weight) for record, weight in members]
        rows = plan.frame.index.to_numpy()[valid]
        weight = None if plan.weights.score is None else plan.weights.score[valid]
        frame, y = plan.frame.iloc[valid], plan.target.values[valid]
        parts.append(Part(_predictor(fitted, plan.target), frame, y, rows, weight))
    return parts


def new_part(winner: Winner, members: Sequence[Member], X: Any, y: Any) -> Part:
    """Return new rows with a fitted model."""
    from automl.explain import Part

    plan = winner.plan
    frame = plan.columns.transform(X)
    return Part(_predictor(members, plan.target), frame, plan.target.encode(y), frame.index.to_numpy())


def _rows_of(plan: Plan, rows: Any) -> Plan:
    """Return the plan with some of the rows."""
    fit, score = (None if one is None else one[rows] for one in (plan.weights.fit, plan.weights.score))
    return replace(
        plan,
        frame=plan.frame.iloc[rows],
        target=replace(plan.target, values=plan.target.values[rows]),
        weights=RowWeights(fit, score, plan.weights.by_class),
    )


def _predictor(members: Sequence[Member], target: Target) -> Callable[[pd.DataFrame], Predictions]:
    """Return a function that averages the predictions of members for a typed table."""
    total = sum(weight for _, weight in members)

    def numbers(frame: pd.DataFrame) -> Predictions:
        return Predictions(sum(weight / total * model.predict(frame) for model, weight in members))

    def probabilities(frame: pd.DataFrame) -> Predictions:
        found = np.zeros((len(frame), len(target.classes)))  # type: ignore[arg-type]
        for model, weight in members:
            # A fold may lack a class.
            found[:, target.encode(model.classes_)] += weight / total * model.predict_proba(frame)
        return Predictions(found.argmax(axis=1), found)

    def decision(frame: pd.DataFrame) -> Predictions:
        model = members[0][0]
        return Predictions(target.encode(model.predict(frame)), decision=model.decision_function(frame))

    if target.classes is None:
        return numbers
    return probabilities if all(hasattr(model, "predict_proba") for model, _ in members) else decision
