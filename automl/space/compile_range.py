"""Compiles the mapping of a range."""

from __future__ import annotations

import math
from collections.abc import Callable

from automl.constraints import Anything, Constraint
from automl.errors import nearest
from automl.space.leaves import Constant, Range
from automl.space.source import Reporter, SourceNode
from automl.space.syntax import EXPONENT, RANGE_KEYWORDS, SYNONYMS, show

__all__ = ["compile_range"]


def compile_range(
    source: SourceNode, rule: Constraint, path: str, reporter: Reporter
) -> Range | Constant | None:
    """Compile ``{low: ..., high: ..., log: ..., step: ...}``; None where it has a fault.

    With whole ends it is a range of whole numbers, unless the parameter also takes fractions. ``integer`` overrides.
    """
    return _RangeCompiler(source, rule, path, reporter).compile()


class _RangeCompiler:
    def __init__(self, source: SourceNode, rule: Constraint, path: str, reporter: Reporter) -> None:
        self.source, self.rule, self.path, self.reporter = source, rule, path, reporter
        self.sound = True

    def fault(self, at: SourceNode, rule: str, came: str, remedy: str = "") -> None:
        self.sound = False
        self.reporter.report(at, self.path, rule, came, remedy)

    def compile(self) -> Range | Constant | None:
        words = self.keywords()
        for word in ("low", "high"):
            if self.sound and word not in words:
                self.fault(self.source, f"a range must have `{word}`", str(self.source))
        numbers = {word: self.number(words, word) for word in ("low", "high", "step") if word in words}
        flags = {word: self.flag(words, word) for word in ("log", "integer", "fidelity")}
        if not self.sound:
            return None
        low, high, step = numbers["low"], numbers["high"], numbers.get("step")
        log = bool(flags["log"])
        if low > high:
            self.fault(words["low"], "`low` must be at most `high`", f"low {show(low)} and high {show(high)}")
        if log and low <= 0:
            self.fault(words["low"], "`low` of a range with `log: true` must be above 0", show(low))
        if step is not None and step <= 0:
            self.fault(words["step"], "`step` must be above 0", show(step))
        if step is not None and log:
            self.fault(
                words["step"], "`step` and `log: true` must not be used together", f"step {show(step)}"
            )
        if not self.sound:
            return None
        integer = _is_integer(low, high, step, flags["integer"], self.rule)
        if integer and any(end != int(end) for end in (low, high, step or 0)):
            rule = "the ends and the step of a range of whole numbers must be whole"
            self.fault(self.source, rule, str(self.source))
            return None
        kind: Callable[[float], float] = int if integer else float
        for word, end in (("low", low), ("high", high)):
            if not self.rule.accepts(kind(end)) and not (end == int(end) and self.rule.accepts(int(end))):
                self.fault(words[word], f"`{word}` must be {self.rule.describe()}", show(end))
        if self.sound and not integer and low < high and not self.inside(low, high, step):
            rule = f"every number of a range must be {self.rule.describe()}"
            self.fault(self.source, rule, str(self.source))
        if not self.sound:
            return None
        if low == high:
            return Constant(kind(low))
        if step is not None and not integer:
            # Steps of numbers with more digits than this cannot be counted without rounding.
            digits = 12 - math.ceil(math.log10(max(abs(low), abs(high))))
            low, high, step = round(low, digits), round(high, digits), round(step, digits) or step
        step = None if step is None or (integer and step == 1) else kind(step)
        return Range(kind(low), kind(high), log, step, integer, bool(flags["fidelity"]))

    def inside(self, low: float, high: float, step: float | None) -> bool:
        """Return whether numbers between the ends are allowed: some parameters take shares or whole numbers."""
        probes = (low + (high - low) * share for share in (0.21, 0.53, 0.87))
        return all(map(self.rule.accepts, probes if step is None else (float(low + step),)))

    def keywords(self) -> dict[str, SourceNode]:
        words: dict[str, SourceNode] = {}
        for key, item in self.source.value.items():
            word = SYNONYMS.get(key, key)
            if word not in RANGE_KEYWORDS:
                rule = f"must be {self.rule.describe()}, or a range of it"
                self.fault(item, rule, f"the key {key}", nearest(key, RANGE_KEYWORDS))
            elif word in words:
                self.fault(item, "a key must occur once", f"{key}, another word for {word}")
            elif not (word == "step" and item.value is None):
                words[word] = item
        return words

    def number(self, words: dict[str, SourceNode], word: str) -> float:
        value = words[word].value
        if isinstance(value, str) and EXPONENT.fullmatch(value):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
        self.fault(words[word], f"`{word}` must be a number", str(words[word]))
        return 0.0

    def flag(self, words: dict[str, SourceNode], word: str) -> bool | None:
        if word not in words:
            return None
        value = words[word].value
        if not isinstance(value, bool):
            self.fault(words[word], f"`{word}` must be true or false", str(words[word]))
        return bool(value)


def _is_integer(low: float, high: float, step: float | None, given: bool | None, rule: Constraint) -> bool:
    if given is not None:
        return given
    numbers = (low, high, 1 if step is None else step)
    if isinstance(rule, Anything):
        return all(isinstance(number, int) for number in numbers)
    if any(number != int(number) for number in numbers):
        return False
    # Fractions inside the range; none of them is whole, as the ends are.
    return not any(rule.accepts(number) for number in (low + 0.5, (low + high) / 2 + 0.25, high - 0.5))
