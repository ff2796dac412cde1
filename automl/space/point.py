"""A configuration as a space of one point, and back."""

from __future__ import annotations

from typing import Any

__all__ = ["as_point", "from_point"]


def as_point(configuration: Any) -> Any:
    """Return a configuration in the language of spaces, where a bare list would be a choice of its items.

    Examples
    --------
    >>> as_point({"model": {"mlp": {"hidden_layer_sizes": [128, 64], "max_epochs": 20}}})
    {'model': {'mlp': {'hidden_layer_sizes': {'value': [128, 64]}, 'max_epochs': 20}}}
    """
    if isinstance(configuration, dict):
        return {name: as_point(value) for name, value in configuration.items()}
    return {"value": configuration} if isinstance(configuration, list) else configuration


def from_point(point: Any) -> Any:
    """Return the configuration of a point; one that is no point is returned unchanged.

    Examples
    --------
    >>> from_point({"hidden_layer_sizes": {"value": [128, 64]}}), from_point({"hidden_layer_sizes": [128, 64]})
    ({'hidden_layer_sizes': [128, 64]}, {'hidden_layer_sizes': [128, 64]})
    """
    if not isinstance(point, dict):
        return point
    if list(point) == ["value"] and isinstance(point["value"], list):
        return point["value"]
    return {name: from_point(value) for name, value in point.items()}
