"""Parameters with plain values: constants, ranges of numbers, and choices of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from automl.errors import Fault, nearest
from automl.space.nodes import (
    Decision,
    Leaf,
    Node,
    Reason,
    Scalar,
    ValueSource,
    normalised,
    shares,
    total,
    weighted,
)
from automl.space.syntax import show

__all__ = ["Categorical", "Constant", "Range"]

_MAX_COMPARED = 10_000  # values that are compared one by one


@dataclass(frozen=True)
class Constant(Leaf):
    """One plain value."""

    value: Any
    n_points: ClassVar[int] = 1
    n_dimensions: ClassVar[int] = 0

    @override
    def contains(self, value: Any) -> bool:
        try:
            given = Constant(list(value) if isinstance(value, tuple) else value).canonical()
        except (TypeError, ValueError):  # not a plain value
            return False
        return given == self.canonical()

    @override
    def is_within(self, other: Node) -> bool:
        return other.contains(self.value)

    @override
    def instantiate(self, path: str, source: ValueSource) -> Any:
        return deepcopy(self.value)

    @override
    def fault(self, value: Any, path: str) -> Fault | None:
        return None if self.contains(value) else Fault(path, f"must be {show(self.value)}", show(value))

    @override
    def filtered(self, reason: Reason) -> tuple[Node | None, dict[str, str]]:
        why = reason(self.value)
        return (None, {show(self.value): why}) if why else (self, {})

    @override
    def grid(self, resolution: int) -> Iterator[Any]:
        yield self.value

    @override
    def canonical_form(self) -> Any:
        return {"value": normalised(self.value)}

    @override
    def to_plain(self) -> Any:
        value = deepcopy(self.value)
        return {"value": value} if isinstance(value, list | dict) else value

    @override
    def summary(self) -> str:
        return show(self.value)


@dataclass(frozen=True)
class Range(Leaf):
    """Numbers from ``low`` to ``high``, both included.

    Parameters
    ----------
    low, high : float or int
        The ends.
    log : bool
        Whether equal ratios are equally likely, rather than equal differences.
    step : float or int, optional
        Distance between the allowed values, counted from ``low``.
    integer : bool
        Whether only whole numbers are allowed.
    fidelity : bool
        Whether the number is a training length: a trial gets ``high`` and may be pruned from ``low`` on.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False
    fidelity: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def n_values(self) -> int | None:
        """Number of allowed values; None where infinite."""
        if self.step:
            return self._n_steps + 1
        return int(self.high) - int(self.low) + 1 if self.integer else None

    @property
    def last(self) -> float:
        """The greatest allowed value."""
        return self.nth(self._n_steps) if self.step else self.high

    def nth(self, index: int) -> float:
        """Return the value ``index`` steps above ``low``, in decimal arithmetic."""
        number = Decimal(str(self.low)) + Decimal(str(self.step or 1)) * index
        return int(number) if self.integer else float(number)

    @property
    def _n_steps(self) -> int:
        # In decimals, like Optuna: 0.1 to 0.3 by 0.1 are two steps.
        low, high, step = (Decimal(str(number)) for number in (self.low, self.high, self.step))
        return int((high - low) // step)

    @property
    @override
    def n_points(self) -> int | None:
        return 1 if self.fidelity else self.n_values

    @property
    @override
    def n_dimensions(self) -> int:
        return 0 if self.fidelity else 1

    @override
    def contains(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if not self.low <= value <= self.high or (self.integer and value != int(value)):
            return False
        if not self.step:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-6

    @override
    def is_within(self, other: Node) -> bool:
        options = other.alternatives if isinstance(other, Leaf) else ()
        if any(isinstance(option, Range) and option._includes(self) for option in options):
            return True
        n_values = self.n_values
        return n_values is not None and n_values <= _MAX_COMPARED and all(map(other.contains, self._values()))

    def _includes(self, other: Range) -> bool:
        if self.step or (self.integer and not other.integer):
            return False
        return self.low <= other.low and other.last <= self.high

    def _values(self) -> Iterator[float]:
        step = self.step or 1
        return (self.low + step * index for index in range(self.n_values or 0))

    @override
    def instantiate(self, path: str, source: ValueSource) -> float:
        return source.number(path, self)

    @override
    def encode(self, path: str, value: Any) -> dict[str, Any]:
        return {} if self.fidelity else {path: value}

    @override
    def fault(self, value: Any, path: str) -> Fault | None:
        if self.contains(value):
            return None
        kind = "a whole number" if self.integer else "a number"
        step = f" in steps of {show(self.step)}" if self.step else ""
        rule = f"must be {kind} from {show(self.low)} to {show(self.high)}{step}"
        return Fault(path, rule, show(value))

    @override
    def grid(self, resolution: int) -> Iterator[float]:
        if self.fidelity:
            yield self.last
            return
        if self.n_values is not None and self.n_values <= resolution:
            yield from map(self.nth, range(self.n_values))
            return
        positions = np.linspace(0, 1, resolution) if resolution > 1 else np.array([0.5])
        if self.step:
            steps = np.round(positions * ((self.n_values or 1) - 1)).astype(int)
            yield from map(self.nth, steps.tolist())
            return
        if self.log:
            numbers = self.low * (self.high / self.low) ** positions
        else:
            numbers = self.low + (self.high - self.low) * positions
        numbers = np.clip(numbers, self.low, self.high)
        yield from np.unique(np.round(numbers).astype(int)).tolist() if self.integer else numbers.tolist()

    @override
    def canonical_form(self) -> Any:
        ends: dict[str, Any] = {"low": normalised(self.low), "high": normalised(self.high)}
        flags = {"log": self.log, "integer": self.integer, "fidelity": self.fidelity}
        return ends | {"step": normalised(self.step)} | flags

    @override
    def to_plain(self) -> dict[str, Any]:
        # `integer` is always written: without it the parameter decides whether whole ends mean whole numbers.
        flags = {"log": self.log, "step": self.step, "integer": self.integer, "fidelity": self.fidelity}
        return {"low": self.low, "high": self.high} | {key: flag for key, flag in flags.items() if flag}

    @override
    def summary(self) -> str:
        notes = [
            f"{show(self.low)} to {show(self.high)}",
            "log" if self.log else "",
            f"steps of {show(self.step)}" if self.step else "",
            "whole" if self.integer and not self.step else "",
            "fidelity" if self.fidelity else "",
        ]
        return ", ".join(note for note in notes if note)


@dataclass(frozen=True)
class Categorical(Leaf):
    """One of several constants and ranges, written as a list."""

    options: tuple[Leaf, ...]
    weights: tuple[float, ...] | None = None

    @property
    @override
    def alternatives(self) -> Sequence[Leaf]:
        return self.options

    @cached_property
    def _order(self) -> list[int]:
        """Positions of the options in an order that does not depend on how they are written."""
        return sorted(range(len(self.options)), key=lambda index: self.options[index].canonical())

    @property
    @override
    def n_points(self) -> int | None:
        return total(option.n_points for option in self.options)

    @property
    @override
    def n_dimensions(self) -> int:
        return 1 + sum(option.n_dimensions for option in self.options)

    @property
    def category_labels(self) -> list[Scalar]:
        """A scalar for each option, as Optuna's categories need: lists as text, ranges as their ends."""
        found: dict[int, Scalar] = {}
        for index in self._order:
            label = _label(self.options[index])
            # 1 and true are one category to Python and to Optuna.
            found[index] = f"{show(label)} #{len(found)}" if label in found.values() else label
        return [found[index] for index in range(len(found))]

    def _option_path(self, path: str, index: int) -> str:
        """Return the Optuna name of a number of a range among the options."""
        ranges = [i for i in self._order if not isinstance(self.options[i], Constant)]
        if index not in ranges:
            return path
        return f"{path}.range" if len(ranges) == 1 else f"{path}.range{ranges.index(index) + 1}"

    @override
    def contains(self, value: Any) -> bool:
        return any(option.contains(value) for option in self.options)

    @override
    def is_within(self, other: Node) -> bool:
        return all(option.is_within(other) for option in self.options)

    @override
    def instantiate(self, path: str, source: ValueSource) -> Any:
        index = source.option(path, self.category_labels, self.weights)
        return self.options[index].instantiate(self._option_path(path, index), source)

    @override
    def encode(self, path: str, value: Any) -> dict[str, Any]:
        index = next(index for index, option in enumerate(self.options) if option.contains(value))
        below = self.options[index].encode(self._option_path(path, index), value)
        return {path: self.category_labels[index], **below}

    @override
    def trace(self, value: Any, path: str) -> Iterator[Decision | Fault]:
        index = next((i for i, option in enumerate(self.options) if option.contains(value)), 0)
        yield self.fault(value, path) or Decision(path, value, self, index)

    @override
    def fault(self, value: Any, path: str) -> Fault | None:
        if self.contains(value):
            return None
        known = [show(label) for label in self.category_labels]
        return Fault(path, f"must be one of {', '.join(known)}", show(value), nearest(show(value), known))

    @override
    def filtered(self, reason: Reason) -> tuple[Node | None, dict[str, str]]:
        reasons = [reason(o.value) if isinstance(o, Constant) else None for o in self.options]
        left = [index for index, why in enumerate(reasons) if not why]
        gone = {option.summary(): why for option, why in zip(self.options, reasons, strict=True) if why}
        kept = tuple(self.options[index] for index in left)
        if len(kept) < 2:
            return (kept[0] if kept else None), gone
        return Categorical(kept, self.weights and tuple(self.weights[index] for index in left)), gone

    @override
    def grid(self, resolution: int) -> Iterator[Any]:
        for option in self.options:
            yield from option.grid(resolution)

    @override
    def canonical_form(self) -> Any:
        pairs = zip(self.options, shares(self.weights, len(self.options)), strict=True)
        return {"values": sorted([option.canonical(), share] for option, share in pairs)}

    @override
    def to_plain(self) -> Any:
        values = [deepcopy(o.value) if isinstance(o, Constant) else o.to_plain() for o in self.options]
        return {"values": values, "weights": list(self.weights)} if self.weights else values

    @override
    def summary(self) -> str:
        weights = self.weights or [None] * len(self.options)
        return " | ".join(map(weighted, (option.summary() for option in self.options), weights))


def _label(option: Leaf) -> Scalar:
    value = option.value if isinstance(option, Constant) else option
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return show(value) if isinstance(option, Constant) else str(option)
