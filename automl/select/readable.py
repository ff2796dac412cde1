"""Parameters and reasons of trials as short texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl.records import TrialRecord

__all__ = ["last_line", "params_texts", "short_value"]

_DIGITS = 3
_ERROR = 0.05  # of the distance to 0 and to 1, the ends of many ranges


def params_texts(records: Sequence[TrialRecord]) -> dict[int, str]:
    """Return the parameters of each trial that differ within its family, as ``name=value`` texts by number.

    A family with one trial shows all of the model's parameters. Preprocessing is left out.
    """
    families: dict[str, list[dict[str, Any]]] = {}
    own = {record.number: _own(record) for record in records}
    for record in records:
        families.setdefault(record.family, []).append(own[record.number])
    shown = {family: _varied(group) for family, group in families.items()}
    return {
        record.number: " ".join(
            f"{name}={short_value(value)}"
            for name, value in own[record.number].items()
            if name in shown[record.family]
        )
        for record in records
    }


def short_value(value: Any) -> str:
    """Return a value with the fewest digits that distinguish it from 0 and 1.

    Examples
    --------
    >>> [short_value(value) for value in (0.0123456, 0.9996, 1e-5, 300.0, [64, 32], None)]
    ['0.0123', '0.9996', '1e-05', '300', '[64,32]', 'None']
    """
    if not isinstance(value, float):
        return str(value).replace(" ", "")
    for digits in range(_DIGITS, 17):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) <= _ERROR * min(abs(value), abs(1 - value)):
            return text
    return repr(value)


def last_line(reason: str) -> str:
    """Return the last line of a reason, which has the error of a traceback."""
    lines = reason.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _own(record: TrialRecord) -> dict[str, Any]:
    prefix = f"model.{record.family}."
    names = (name for name in record.params if name.startswith(prefix))
    return {
        name.removeprefix(prefix): record.params[name]
        for name in names
        if not name.startswith(f"{prefix}preprocess.")
    }


def _varied(group: Sequence[dict[str, Any]]) -> set[str]:
    """Return the names that have more than one value, or all of them for a trial alone."""
    names = {name for params in group for name in params}
    if len(group) == 1:
        return names
    return {name for name in names if len({str(params[name]) for params in group if name in params}) > 1}
