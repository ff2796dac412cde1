"""Entries of the tables of samplers and pruners, found by ``name`` or ``name:number``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from automl.errors import Fault, SettingError, nearest

__all__ = ["Entry", "find_entry"]


@dataclass(frozen=True)
class Entry:
    """A sampler or pruner with a name.

    Parameters
    ----------
    make : callable
        Makes a sampler from the seeds of the search and the trial; a pruner from its number, if it takes one.
    package : str
        The package that it needs beyond Optuna's own.
    number : str
        The meaning of a number after the name, as in ``percentile:10``; empty if it takes none.
    default : float or None
        The number if none is given; None if one is required.
    uses_subset : bool
        Of a sampler, whether it is shown a subset of a long study, chosen by `History`.
    """

    make: Callable[..., Any]
    package: str = ""
    number: str = ""
    default: float | None = None
    uses_subset: bool = False


def find_entry(setting: str, value: Any, entries: Mapping[str, Entry]) -> tuple[str, Entry, float]:
    """Return the name, the entry and the number of a setting; NaN without a number.

    Raises
    ------
    SettingError
        If the name is unknown, or the number is missing, not a number, or not taken.
    """
    name, colon, written = value.partition(":") if isinstance(value, str) else (value, "", "")
    if not isinstance(name, str) or name not in entries:
        rule = f"must be a {setting} of Optuna, or the name of one"
        raise SettingError(Fault(setting, rule, f'"{value}"', nearest(str(name), list(entries))))
    entry = entries[name]
    if colon and not entry.number:
        raise SettingError(Fault(setting, f'"{name}" takes no number', f'"{value}"', f"Write {name}."))
    number = entry.default
    if colon:
        try:
            number = float(written)
        except ValueError:
            number = math.nan
    if entry.number and (number is None or not math.isfinite(number)):
        rule, advice = f'"{name}" needs a number: {entry.number}', f"Write it after the name: {name}:0.5."
        raise SettingError(Fault(setting, rule, f'"{value}"', advice))
    return name, entry, math.nan if number is None else number
