"""Early-pruning guard: a trial is not pruned before its scores mean anything."""

from __future__ import annotations

from collections.abc import Iterable

from automl.families import get_family
from automl.records import TrialSpec
from automl.search.spec import SearchSpec

__all__ = ["first_prunable_step", "protected"]


def first_prunable_step(trial: TrialSpec, spec: SearchSpec) -> int:
    """Return the first step at which a trial may be pruned.

    It is the larger of the minimum that the space grants (``fidelity``) and the family's minimum resource.
    """
    family, facts = get_family(trial), spec.facts
    prefix = f"model.{trial.family}."
    minima = {
        path.removeprefix(prefix): int(low)
        for path, (low, _) in spec.fidelity.items()
        if path.startswith(prefix)
    }
    granted = family.last_rung({**trial.family_params, **minima}, facts.epoch_steps) if minima else 0
    fold_rows = int(facts.n_rows * max(facts.n_folds - 1, 0.8) / facts.n_folds)
    return max(granted, family.min_resource(trial.family_params, facts.epoch_steps, fold_rows))


def protected(trials: Iterable[TrialSpec], rung: int, spec: SearchSpec) -> set[int]:
    """Return the numbers of the trials that must not be pruned at this rung."""
    return {trial.number for trial in trials if rung < first_prunable_step(trial, spec)}
