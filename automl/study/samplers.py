"""Samplers and pruners by Optuna's names."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from optuna import pruners, samplers
from optuna.exceptions import ExperimentalWarning

from automl.errors import Fault, SettingError, nearest
from automl.space import Space
from automl.study.grid_sampler import Points
from automl.study.stateless_sampler import Afresh, AfreshPruner

__all__ = ["PRUNERS", "SAMPLERS", "make_pruner", "make_sampler"]


@dataclass(frozen=True)
class _Row:
    """One of the names.

    Parameters
    ----------
    make : callable
        Makes a sampler of the search's seed and the trial's; a pruner of the number, if it takes one.
    package : str
        What it needs beyond Optuna's own.
    number : str
        What a number after the name says, as in ``percentile:10``; empty if none may stand there.
    default : float or None
        The number where none is given; None if one must be given.
    in_part : bool
        Of a sampler, whether it is shown a part of a long study, as `History` chooses it.
    """

    make: Callable[..., Any]
    package: str = ""
    number: str = ""
    default: float | None = None
    in_part: bool = False


def _tpe(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # Grouped, so that the parameters of each branch of a space are modelled together; and a liar, so that the trials of
    # a cohort keep away from each other.
    return samplers.TPESampler(seed=trial_seed, multivariate=True, group=True, constant_liar=True)


def _qmc(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # One sequence for all trials; where in it a trial is, the study remembers.
    return samplers.QMCSampler(
        seed=seed,
        scramble=True,
        independent_sampler=samplers.RandomSampler(seed=trial_seed),
        warn_asynchronous_seeding=False,
        warn_independent_sampling=False,
    )


def _cmaes(seed: int, trial_seed: int) -> samplers.BaseSampler:
    return samplers.CmaEsSampler(seed=trial_seed, warn_independent_sampling=False)


def _gp(seed: int, trial_seed: int) -> samplers.BaseSampler:
    return samplers.GPSampler(seed=trial_seed, warn_independent_sampling=False)


SAMPLERS: dict[str, _Row] = {
    "tpe": _Row(_tpe, in_part=True),
    "gp": _Row(_gp, package="torch", in_part=True),
    "cmaes": _Row(_cmaes, package="cmaes"),
    "random": _Row(lambda seed, trial_seed: samplers.RandomSampler(seed=trial_seed)),
    "qmc": _Row(_qmc),
    "grid": _Row(Points.of_grid, number="how many values of a range", default=5),
    "nsgaii": _Row(lambda seed, trial_seed: samplers.NSGAIISampler(seed=trial_seed)),
}


PRUNERS: dict[str, _Row] = {
    "median": _Row(pruners.MedianPruner),
    "percentile": _Row(
        pruners.PercentilePruner,
        number="the share of trials to go on, in percent",
        default=25,
    ),
    "successive_halving": _Row(
        lambda factor: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=int(factor)),
        number="one in how many goes on",
        default=3,
    ),
    "hyperband": _Row(
        lambda factor: pruners.HyperbandPruner(reduction_factor=int(factor)),
        number="one in how many goes on",
        default=3,
    ),
    "patient": _Row(
        lambda patience: pruners.PatientPruner(pruners.MedianPruner(), patience=int(patience)),
        number="how many rungs a trial may go without getting better",
        default=1,
    ),
    "threshold": _Row(
        lambda lower: pruners.ThresholdPruner(lower=lower),
        number="the least score to go on with",
    ),
    "wilcoxon": _Row(
        lambda p_threshold: pruners.WilcoxonPruner(p_threshold=p_threshold),
        number="how likely it may be that a trial is no worse than the best",
        default=0.1,
    ),
    "none": _Row(pruners.NopPruner),
}


def make_sampler(
    sampler: Any, seed: int, space: Space | None = None, n_objectives: int = 1
) -> samplers.BaseSampler:
    """Return Optuna's sampler of that name (None: ``tpe``), or the object itself.

    One made by its name is seeded anew for each trial, from ``seed`` and the trial's number; an object keeps whatever
    random state it has. A grid, by name or as an object, is laid out before the search and taken point by point.

    Parameters
    ----------
    sampler : str, optuna sampler or None
        A name of `SAMPLERS`, with a number where it takes one (``grid:3``), or an object.
    seed : int
        The search's seed.
    space : Space, optional
        What may be tried; a grid is laid over it.
    n_objectives : int
        How many objectives there are.

    Raises
    ------
    SettingError
        If there is no such sampler, the package it needs is not installed, a grid does not fit the space, or it
        knows one objective only.
    """
    if n_objectives > 1 and (sampler == "cmaes" or isinstance(sampler, samplers.CmaEsSampler)):
        advice = "Choose tpe, nsgaii, gp, random or qmc."
        raise SettingError(Fault("sampler", "must be one for several objectives", "cmaes", advice))
    if isinstance(sampler, samplers.GridSampler) and space is not None:
        return Points.of_sampler(sampler, seed, space)
    if isinstance(sampler, samplers.BaseSampler):
        return sampler
    name, row, number = _named("sampler", "tpe" if sampler is None else sampler, SAMPLERS)
    if row.package and find_spec(row.package) is None:
        rule, advice = f'"{name}" needs the package {row.package}', f"Install {row.package}."
        raise SettingError(Fault("sampler", rule, "none installed", advice))
    if name == "grid":
        if space is None:
            raise ValueError("a grid needs a space to be laid over")
        return Points.of_grid(space, seed, number)
    return Afresh(row.make, seed, in_part=row.in_part)


def make_pruner(pruner: Any, n_objectives: int = 1) -> pruners.BasePruner:
    """Return Optuna's pruner of that name (None: ``median``), or the object itself.

    With several objectives nothing is pruned: Optuna has no rule for it.

    Raises
    ------
    SettingError
        If there is no such pruner, the number after its name is missing or not one for it, or one is named although
        there are several objectives.
    """
    if n_objectives > 1:
        if pruner not in (None, "none") and not isinstance(pruner, pruners.NopPruner):
            came = f'"{pruner}"' if isinstance(pruner, str) else type(pruner).__name__
            rule, advice = (
                "must be none where there are several objectives",
                "Leave it out: nothing is pruned.",
            )
            raise SettingError(Fault("pruner", rule, came, advice))
        return pruners.NopPruner()
    if not isinstance(pruner, pruners.BasePruner):
        name, row, number = _named("pruner", "median" if pruner is None else pruner, PRUNERS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                pruner = row.make(number) if row.number else row.make()
        except ValueError as error:
            rule = f"needs a number that is {row.number}"
            raise SettingError(
                Fault("pruner", rule, f'"{name}:{number:g}"', f"Optuna says: {error}")
            ) from error
    # Of Optuna's pruners it is the one that learns as it is asked, and so would know who asked before.
    return AfreshPruner(pruner) if isinstance(pruner, pruners.HyperbandPruner) else pruner


def _named(what: str, text: Any, known: dict[str, _Row]) -> tuple[str, _Row, float]:
    """Return what ``name`` or ``name:number`` means: the name, its row and the number (not a number without one)."""
    name, colon, written = text.partition(":") if isinstance(text, str) else (text, "", "")
    if not isinstance(name, str) or name not in known:
        rule = f"must be a {what} of Optuna, or the name of one"
        raise SettingError(Fault(what, rule, f'"{text}"', nearest(str(name), list(known))))
    row = known[name]
    if colon and not row.number:
        raise SettingError(Fault(what, f'"{name}" takes no number', f'"{text}"', f"Write {name}."))
    number = row.default
    if colon:
        try:
            number = float(written)
        except ValueError:
            number = math.nan
    if row.number and (number is None or not math.isfinite(number)):
        rule, advice = f'"{name}" needs a number: {row.number}', f"Write it after the name: {name}:0.5."
        raise SettingError(Fault(what, rule, f'"{text}"', advice))
    return name, row, math.nan if number is None else number
