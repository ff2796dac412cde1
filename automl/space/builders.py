"""The language's words for Python: each returns the plain value that YAML would hold.

>>> from automl.space import Branch, Choice, Float, Int
>>> Branch(sgd={}, adam={"beta2": Float(0.9, 0.999)})
{'choice': {'sgd': {}, 'adam': {'beta2': {'low': 0.9, 'high': 0.999, 'integer': False}}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Branch", "Choice", "Float", "Int"]


def Float(low: float, high: float, *, log: bool = False, step: float | None = None) -> dict[str, Any]:
    """Return a range of numbers, fractions included.

    Parameters
    ----------
    low, high : float
        The ends, both included.
    log : bool
        Whether equal ratios are equally likely.
    step : float, optional
        Distance between the values.

    Examples
    --------
    >>> Float(1e-4, 1, log=True)
    {'low': 0.0001, 'high': 1, 'log': True, 'integer': False}
    """
    return _range(low, high, log, step) | {"integer": False}


def Int(
    low: int, high: int, *, log: bool = False, step: int | None = None, fidelity: bool = False
) -> dict[str, Any]:
    """Return a range of whole numbers.

    Parameters
    ----------
    low, high : int
        The ends, both included.
    log : bool
        Whether equal ratios are equally likely.
    step : int, optional
        Distance between the values.
    fidelity : bool
        Whether it says how long to train: a trial is given ``high`` and may be stopped from ``low`` on.

    Examples
    --------
    >>> Int(50, 500, step=50)
    {'low': 50, 'high': 500, 'step': 50, 'integer': True}
    """
    return _range(low, high, log, step) | {"integer": True} | ({"fidelity": True} if fidelity else {})


def Choice(*values: Any, weights: Sequence[float] | None = None) -> dict[str, Any]:
    """Return a choice of values, lists or ranges.

    Examples
    --------
    >>> Choice("sgd", "adam", weights=[1, 3])
    {'values': ['sgd', 'adam'], 'weights': [1, 3]}
    """
    return {"values": list(values)} | ({"weights": list(weights)} if weights else {})


def Branch(
    options: Mapping[str, Any] | None = None, /, *, weights: Mapping[str, float] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a choice of named branches, each a mapping of its own keys.

    Examples
    --------
    >>> Branch(linear={}, mlp={"hidden_layer_sizes": Choice([64], [128, 64])})
    {'choice': {'linear': {}, 'mlp': {'hidden_layer_sizes': {'values': [[64], [128, 64]]}}}}
    """
    return {"choice": {**(options or {}), **more}} | ({"weights": dict(weights)} if weights else {})


def _range(low: float, high: float, log: bool, step: float | None) -> dict[str, Any]:
    return {"low": low, "high": high} | ({"log": True} if log else {}) | ({"step": step} if step else {})
