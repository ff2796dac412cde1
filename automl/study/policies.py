"""Samplers and pruners by Optuna's names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from optuna import pruners, samplers
from optuna.exceptions import ExperimentalWarning

from automl.errors import Fault, SettingError, nearest

__all__ = ["PRUNERS", "SAMPLERS", "make_pruner", "make_sampler"]


def _tpe(seed: int) -> samplers.BaseSampler:
    # Grouped, so that the parameters of each branch of a space are modelled together.
    return samplers.TPESampler(seed=seed, multivariate=True, group=True)


# Name -> (seed -> sampler, package it needs beyond Optuna's own).
SAMPLERS: dict[str, tuple[Callable[[int], samplers.BaseSampler], str]] = {
    "tpe": (_tpe, ""),
    "random": (lambda seed: samplers.RandomSampler(seed=seed), ""),
    "qmc": (
        lambda seed: samplers.QMCSampler(seed=seed, scramble=True, warn_asynchronous_seeding=False),
        "",
    ),
    "nsgaii": (lambda seed: samplers.NSGAIISampler(seed=seed), ""),
    "cmaes": (lambda seed: samplers.CmaEsSampler(seed=seed), "cmaes"),
    "gp": (lambda seed: samplers.GPSampler(seed=seed), "torch"),
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

    Raises
    ------
    SettingError
        If there is no such sampler, or the package it needs is not installed.
    """
    if isinstance(sampler, samplers.BaseSampler):
        return sampler
    make: Callable[[int], samplers.BaseSampler]
    make, package = _named("sampler", "tpe" if sampler is None else sampler, SAMPLERS)
    if package and find_spec(package) is None:
        raise SettingError(
            Fault(
                "sampler", f'"{sampler}" needs the package {package}', "none installed", f"Install {package}."
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make(seed)


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
