"""Samplers and pruners by Optuna's names."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from optuna import pruners, samplers

from automl.errors import Fault, SettingError, nearest
from automl.study.afresh import Afresh

__all__ = ["PRUNERS", "SAMPLERS", "make_pruner", "make_sampler"]


def _tpe(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # Grouped, so that the parameters of each branch of a space are modelled together.
    return samplers.TPESampler(seed=trial_seed, multivariate=True, group=True)


def _qmc(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # One sequence for all trials; where in it a trial is, the study remembers.
    return samplers.QMCSampler(
        seed=seed,
        scramble=True,
        independent_sampler=samplers.RandomSampler(seed=trial_seed),
        warn_asynchronous_seeding=False,
        warn_independent_sampling=False,
    )


# Name -> (the search's seed, the trial's seed -> sampler; package it needs beyond Optuna's own).
SAMPLERS: dict[str, tuple[Callable[[int, int], samplers.BaseSampler], str]] = {
    "tpe": (_tpe, ""),
    "random": (lambda seed, trial_seed: samplers.RandomSampler(seed=trial_seed), ""),
    "qmc": (_qmc, ""),
    "nsgaii": (lambda seed, trial_seed: samplers.NSGAIISampler(seed=trial_seed), ""),
    "cmaes": (lambda seed, trial_seed: samplers.CmaEsSampler(seed=trial_seed), "cmaes"),
    "gp": (lambda seed, trial_seed: samplers.GPSampler(seed=trial_seed), "torch"),
}

PRUNERS: dict[str, Callable[[], pruners.BasePruner]] = {
    "median": lambda: pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=1),
    "percentile": lambda: pruners.PercentilePruner(25.0, n_startup_trials=8, n_warmup_steps=1),
    "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "hyperband": lambda: pruners.HyperbandPruner(),
    "none": lambda: pruners.NopPruner(),
}


def make_sampler(sampler: Any, seed: int) -> samplers.BaseSampler:
    """Return Optuna's sampler of that name (None: ``tpe``), or the object itself.

    One made by its name is seeded anew for each trial, from ``seed`` and the trial's number; an object keeps whatever
    random state it has.

    Raises
    ------
    SettingError
        If there is no such sampler, or the package it needs is not installed.
    """
    if isinstance(sampler, samplers.BaseSampler):
        return sampler
    make: Callable[[int, int], samplers.BaseSampler]
    make, package = _named("sampler", "tpe" if sampler is None else sampler, SAMPLERS)
    if package and find_spec(package) is None:
        raise SettingError(
            Fault(
                "sampler", f'"{sampler}" needs the package {package}', "none installed", f"Install {package}."
            )
        )
    return Afresh(make, seed)


def make_pruner(pruner: Any) -> pruners.BasePruner:
    """Return Optuna's pruner of that name (None: ``median``), or the object itself.

    Raises
    ------
    SettingError
        If there is no such pruner.
    """
    if isinstance(pruner, pruners.BasePruner):
        return pruner
    make: Callable[[], pruners.BasePruner] = _named("pruner", "median" if pruner is None else pruner, PRUNERS)
    return make()


def _named(what: str, name: Any, known: dict[str, Any]) -> Any:
    if not isinstance(name, str) or name not in known:
        rule = f"must be a {what} of Optuna, or the name of one"
        raise SettingError(Fault(what, rule, f'"{name}"', nearest(str(name), list(known))))
    return known[name]
