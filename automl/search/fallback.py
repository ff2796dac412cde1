"""The model of last resort: a quick linear model, where no trial of the space had a score in time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from automl.families import FAMILIES, get_family
from automl.records import OUTSIDE, TrialRecord, TrialSpec
from automl.search.plan import Plan
from automl.search.spec import SearchSpec
from automl.workers import train_single

__all__ = ["FALLBACK", "may_fall_back", "train_fallback"]

FALLBACK = {
    "model": {"quick_linear": {"l2": 1.0}},
    "preprocess": {"numeric": {"impute": "mean", "scale": "none"}, "categorical": {"encode": "onehot"}},
}
"""Its configuration: logistic or ridge regression on a sample, about a second on any table."""
_REASON = f"{OUTSIDE}: no trial of the space had a score when the time was up"


def may_fall_back(plan: Plan, spec: SearchSpec, records: Sequence[TrialRecord]) -> bool:
    """Return whether a search ended without a model for want of time, and a quick linear model suits its table.

    A search without a timeout never falls back, nor one whose trials all failed.

    Parameters
    ----------
    plan : Plan
        The table and the objectives.
    spec : SearchSpec
        The search.
    records : sequence of TrialRecord
        Its trials.
    """
    without_time = not records or any(one.state != "failed" for one in records)
    if spec.timeout is None or not without_time or any(one.score is not None for one in records):
        return False
    family, problem = FAMILIES["quick_linear"], plan.problem
    reasons = [family.incompatibility({"l2": 1.0}, problem, metric) for metric in plan.objectives.metrics]
    return not (problem.sparse or any(reasons))


def train_fallback(plan: Plan, spec: SearchSpec, trial: TrialSpec) -> TrialRecord:
    """Train the quick linear model on the folds, and warn that it is not of the space."""
    record = train_single(plan.worker_context(spec.facts), trial)
    kind = "ridge" if plan.problem.task == "regression" else "logistic"
    warnings.warn(
        f"No trial of the space {plan.space.name} had a score when the time was up. The model is a {kind} regression "
        f"that is not of the space (trial {trial.number}, {get_family(trial).name}). Give the search more time.",
        stacklevel=4,
    )
    return record if record.state == "failed" else record.model_copy(update={"reason": _REASON})
