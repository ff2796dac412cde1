"""Samplers by name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from optuna import samplers

from automl.errors import Fault, SettingError
from automl.space import Space
from automl.study.entries import Entry, find_entry
from automl.study.grid_sampler import FixedPointSampler
from automl.study.stateless_sampler import StatelessSampler

__all__ = ["DEFAULT_SAMPLER", "SAMPLERS", "check_sampler", "make_sampler"]

DEFAULT_SAMPLER = "tpe"


def _tpe(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # group: the parameters of each branch of a space are modelled together.
    # constant_liar: the trials of a cohort keep away from each other.
    return samplers.TPESampler(seed=trial_seed, multivariate=True, group=True, constant_liar=True)


def _qmc(seed: int, trial_seed: int) -> samplers.BaseSampler:
    # All trials share one sequence; the study stores the position in it.
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


SAMPLERS: dict[str, Entry] = {
    "tpe": Entry(_tpe, uses_subset=True),
    "gp": Entry(_gp, package="torch", uses_subset=True),
    "cmaes": Entry(_cmaes, package="cmaes"),
    "random": Entry(lambda seed, trial_seed: samplers.RandomSampler(seed=trial_seed)),
    "qmc": Entry(_qmc),
    "grid": Entry(FixedPointSampler.of_grid, number="how many values of a range", default=5),
    "nsgaii": Entry(lambda seed, trial_seed: samplers.NSGAIISampler(seed=trial_seed)),
}


def make_sampler(
    sampler: Any, seed: int, space: Space | None = None, n_objectives: int = 1
) -> samplers.BaseSampler:
    """Return the sampler of a name (None: ``tpe``), or the object itself.

    A sampler made by name has a seed of its own for each trial, from ``seed`` and the number of the trial; an object
    keeps its random state. The points of a grid, by name or as an object, are listed before the search.

    Parameters
    ----------
    sampler : str, optuna sampler or None
        A name of `SAMPLERS`, with a number if it takes one (``grid:3``), or an object.
    seed : int
        The seed of the search.
    space : Space, optional
        The space of a grid.
    n_objectives : int
        Number of objectives.

    Raises
    ------
    SettingError
        If the name is unknown, its package is not installed, a grid does not fit the space, or the sampler supports
        one objective only.
    """
    check_sampler(sampler, n_objectives)
    if isinstance(sampler, samplers.GridSampler) and space is not None:
        return FixedPointSampler.of_sampler(sampler, seed, space)
    if isinstance(sampler, samplers.BaseSampler):
        return sampler
    name, entry, number = find_entry("sampler", DEFAULT_SAMPLER if sampler is None else sampler, SAMPLERS)
    if name == "grid":
        if space is None:
            raise ValueError("a grid needs a space")
        return FixedPointSampler.of_grid(space, seed, number)
    return StatelessSampler(entry.make, seed, uses_subset=entry.uses_subset)


def check_sampler(sampler: Any, n_objectives: int = 1) -> None:
    """Check a sampler before the space is known, as `make_sampler` does with it.

    Raises
    ------
    SettingError
        If the name is unknown, its package is not installed, or the sampler supports one objective only.
    """
    if n_objectives > 1 and (sampler == "cmaes" or isinstance(sampler, samplers.CmaEsSampler)):
        advice = "Choose tpe, nsgaii, gp, random or qmc."
        raise SettingError(Fault("sampler", "must be one for several objectives", "cmaes", advice))
    if isinstance(sampler, samplers.BaseSampler):
        return
    name, entry, _ = find_entry("sampler", DEFAULT_SAMPLER if sampler is None else sampler, SAMPLERS)
    if entry.package and find_spec(entry.package) is None:
        rule, advice = f'"{name}" needs the package {entry.package}', f"Install {entry.package}."
        raise SettingError(Fault("sampler", rule, "none installed", advice))
