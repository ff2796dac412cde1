"""Pruners by name."""

from __future__ import annotations

import warnings
from typing import Any

from optuna import pruners
from optuna.exceptions import ExperimentalWarning

from automl.errors import Fault, SettingError
from automl.study.entries import Entry, find_entry
from automl.study.stateless_sampler import StatelessPruner

__all__ = ["DEFAULT_PRUNER", "PRUNERS", "RacingPruner", "make_pruner"]


class RacingPruner(pruners.MedianPruner):
    """Optuna's median rule at rungs, for a search that trains folds in turn and stops trials between them too."""


DEFAULT_PRUNER = "racing"
PRUNERS: dict[str, Entry] = {
    "racing": Entry(RacingPruner),
    "median": Entry(pruners.MedianPruner),
    "percentile": Entry(
        pruners.PercentilePruner,
        number="the share of trials to continue, in percent",
        default=25,
    ),
    "successive_halving": Entry(
        lambda factor: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=int(factor)),
        number="one in how many trials continues",
        default=3,
    ),
    "hyperband": Entry(
        lambda factor: pruners.HyperbandPruner(reduction_factor=int(factor)),
        number="one in how many trials continues",
        default=3,
    ),
    "patient": Entry(
        lambda patience: pruners.PatientPruner(pruners.MedianPruner(), patience=int(patience)),
        number="how many rungs a trial may pass without improving",
        default=1,
    ),
    "threshold": Entry(
        lambda lower: pruners.ThresholdPruner(lower=lower),
        number="the lowest score to continue with",
    ),
    "wilcoxon": Entry(
        lambda p_threshold: pruners.WilcoxonPruner(p_threshold=p_threshold),
        number="p-value threshold of the Wilcoxon test",
        default=0.1,
    ),
    "none": Entry(pruners.NopPruner),
}


def make_pruner(pruner: Any, n_objectives: int = 1) -> pruners.BasePruner:
    """Return the pruner of a name (None: ``racing``), or the object itself.

    With several objectives nothing is pruned, as in Optuna.

    Raises
    ------
    SettingError
        If the name is unknown, its number is missing or invalid, or a pruner is named for several objectives.
    """
    if n_objectives > 1:
        if pruner not in (None, "none") and not isinstance(pruner, pruners.NopPruner):
            came = f'"{pruner}"' if isinstance(pruner, str) else type(pruner).__name__
            rule, advice = "must be none with several objectives", "Leave it out: nothing is pruned."
            raise SettingError(Fault("pruner", rule, came, advice))
        return pruners.NopPruner()
    if not isinstance(pruner, pruners.BasePruner):
        name, entry, number = find_entry("pruner", DEFAULT_PRUNER if pruner is None else pruner, PRUNERS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                pruner = entry.make(number) if entry.number else entry.make()
        except ValueError as error:
            rule = f"needs a number that is {entry.number}"
            raise SettingError(
                Fault("pruner", rule, f'"{name}:{number:g}"', f"Optuna says: {error}")
            ) from error
    # Hyperband alone has a state, which it takes from the first study and trials it sees.
    return StatelessPruner(pruner) if isinstance(pruner, pruners.HyperbandPruner) else pruner
