"""Learns from failed trials which configurations must not be proposed again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from automl.constraints import named
from automl.errors import Fault
from automl.space.leaves import Constant, Range
from automl.space.space import Space
from automl.space.syntax import FAMILY_PARAM, show
from automl.space.tree import trace

__all__ = ["Conflicts", "Outcome", "learned_conflicts"]

Values: TypeAlias = frozenset[tuple[str, Hashable]]
"""Categorical values of a configuration, each with its path."""

_MIN_FAILURES = 2  # that share values, before the values are a conflict
_MIN_FAMILY_FAILURES = 5  # of a family without categorical values, before the family is one
_NOT_OF_VALUES = ("MemoryError", "OSError", "KeyboardInterrupt")


@dataclass(frozen=True)
class Outcome:
    """The categorical values of a trial, and the error that it failed with; empty if it trained."""

    values: Values
    error: str = ""


def learned_conflicts(outcomes: Iterable[Outcome]) -> dict[Values, str]:
    """Return the combinations of values that trials of one family failed with, each with the error.

    A combination is what two or more failures with the same error share, if no trial that trained has it. Before the
    first trial of the family has trained, and where that is not the case, it is all categorical values of a failure.

    Examples
    --------
    >>> failed = [frozenset({("solver", "lbfgs"), ("dual", True), ("penalty", p)}) for p in ("l1", "l2")]
    >>> trained = frozenset({("solver", "lbfgs"), ("dual", False), ("penalty", "l2")})
    >>> (conflict,) = learned_conflicts([*(Outcome(values, "no dual") for values in failed), Outcome(trained)])
    >>> sorted(conflict)
    [('dual', True), ('solver', 'lbfgs')]
    """
    trained, failed = set(), defaultdict(list)
    for outcome in outcomes:
        if outcome.error:
            failed[outcome.error].append(outcome.values)
        else:
            trained.add(outcome.values)
    found: dict[Values, str] = {}
    for error, failures in failed.items():
        shared = frozenset.intersection(*failures)
        candidates = Counter(failures)
        if trained and not any(shared <= values for values in trained):
            candidates = Counter({shared: len(failures)})
        for values, count in candidates.items():
            enough = count >= (_MIN_FAILURES if values else _MIN_FAMILY_FAILURES)
            if enough and not any(values <= other for other in trained):
                found.setdefault(values, error)
    return found


class Conflicts:
    """Configurations that failed, and combinations of values that are known to fail.

    Parameters
    ----------
    space : Space
        The space of the trials.
    """

    def __init__(self, space: Space) -> None:
        self._root = space.root
        self._failed: set[str] = set()
        self._trials: dict[str, list[tuple[Mapping[str, Any], str]]] = defaultdict(list)  # by family
        self._raised: set[str] = set()  # families of which a trial raised an error
        self._learned: dict[str, dict[Values, str]] = {}  # by family; recomputed after a new outcome

    def add(self, configuration: Mapping[str, Any], failure: str) -> None:
        """Add a trial that has ended.

        Parameters
        ----------
        configuration : mapping
            Its configuration.
        failure : str
            Why it failed, a traceback if it raised an error; empty if it trained.
        """
        if failure:
            self._failed.add(Constant(configuration).canonical())
        family, error = _family(configuration), _error(failure)
        if error or not failure:
            self._trials[family].append((configuration, error))
            self._learned.pop(family, None)
        if error:
            self._raised.add(family)

    def reason(self, configuration: Mapping[str, Any]) -> str:
        """Return why a configuration must not be proposed again; empty if it may."""
        if self._failed and Constant(configuration).canonical() in self._failed:
            return "it failed before"
        family = _family(configuration)
        if family not in self._raised:
            return ""
        if family not in self._learned:
            outcomes = (
                Outcome(values, error)
                for known, error in self._trials[family]
                if (values := self._values(known)) is not None
            )
            self._learned[family] = learned_conflicts(outcomes)
        values = self._values(configuration) or frozenset()
        for conflict, error in self._learned[family].items():
            if conflict <= values:
                shown = ", ".join(f"{path}: {show(value)}" for path, value in sorted(conflict, key=str))
                return f"{{{shown}}} failed before: {error}"
        return ""

    def _values(self, configuration: Mapping[str, Any]) -> Values | None:
        """Return the categorical values of a configuration; None if it is outside the space."""
        found: dict[str, Hashable] = {}
        for decision in trace(self._root, configuration):
            if isinstance(decision, Fault):
                return None
            encoded = decision.node.encode(decision.path, decision.value)
            if decision.path in encoded and not isinstance(decision.node, Range):
                found[decision.path] = encoded[decision.path]
        return frozenset(found.items()) - {(FAMILY_PARAM, _family(configuration))}


def _family(configuration: Mapping[str, Any]) -> str:
    return named(configuration[FAMILY_PARAM])[0] if configuration.get(FAMILY_PARAM) else ""


def _error(failure: str) -> str:
    """Return the last line of a traceback; empty for failures that values do not explain."""
    if not failure.startswith("Traceback"):
        return ""
    last = failure.strip().splitlines()[-1]
    return "" if last.startswith(_NOT_OF_VALUES) else last
