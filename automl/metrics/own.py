"""Scorers of the user by path, ``module:function``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any, cast

from automl.errors import Fault, SettingError, nearest

__all__ = ["import_scorers", "is_path", "own_scorer"]

_RULE = "must name a scorer as module:function"
_FORM = "Write it as function(estimator, X, y), or make one with sklearn.metrics.make_scorer."


def is_path(scoring: Any) -> bool:
    """Return whether a scorer is given as ``module:function``."""
    return isinstance(scoring, str) and ":" in scoring


def import_scorers(scoring: Any, allowed: Collection[str] | None = None) -> None:
    """Import the modules of the scorers that are given by path, which runs their code.

    Parameters
    ----------
    scoring : str, callable, sequence of them, or None
        One objective or several; names of scikit-learn and objects need no import.
    allowed : collection of str or None
        The packages that may be imported; None allows all of them, for paths that the user gave.

    Raises
    ------
    SettingError
        With every path without such a module or function.
    """
    faults: list[Fault] = []
    for path in scoring if isinstance(scoring, list | tuple) else [scoring]:
        if not is_path(path) or (
            allowed is not None and path.partition(":")[0].partition(".")[0] not in allowed
        ):
            continue
        try:
            import_module(path.partition(":")[0])
            own_scorer(path)
        except SettingError as error:
            faults += error.faults
        except Exception as error:  # a module of the user may raise anything
            came = f'"{path}", whose import fails: {type(error).__name__}: {error}'
            remedy = "A shell finds modules of the current folder, and installed ones."
            faults.append(Fault("scoring", _RULE, came, remedy))
    if faults:
        raise SettingError(faults)


def own_scorer(path: str) -> Callable[..., float]:
    """Return the scorer of a path, from a module that is imported; names from files import nothing.

    Raises
    ------
    SettingError
        If the module is not imported, or has no such function.
    """
    module, _, name = path.partition(":")
    if module not in sys.modules:
        came = f'"{path}", whose module is not imported'
        raise SettingError(Fault("scoring", _RULE, came, "Allow its import, if you trust it."))
    scorer = getattr(sys.modules[module], name, None)
    if not callable(scorer):
        names = [known for known, value in vars(sys.modules[module]).items() if callable(value)]
        remedy = nearest(name, names) if names else _FORM
        raise SettingError(Fault("scoring", _RULE, f'"{path}", which {module} does not have', remedy))
    return cast(Callable[..., float], scorer)
