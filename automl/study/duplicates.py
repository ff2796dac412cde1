"""Equal configurations: the later trial takes the result of the first and is not trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.records import TrialRecord
from automl.study.attributes import canonical

__all__ = ["Duplicates"]


class Duplicates:
    """The first trial of each configuration, and the running trials that repeat one.

    Examples
    --------
    >>> duplicates = Duplicates()
    >>> duplicates.start({"alpha": 1}, number=0)
    >>> duplicates.start({"alpha": 1}, number=1)
    >>> duplicates.first(0), duplicates.first(1)
    (None, 0)
    """

    def __init__(self) -> None:
        self._first: dict[str, int] = {}  # by configuration
        self._repeats: dict[int, int] = {}  # running trial -> first trial

    def is_known(self, configuration: Mapping[str, Any]) -> bool:
        """Return whether a trial has this configuration."""
        return canonical(configuration) in self._first

    def add(self, configuration: Mapping[str, Any], number: int) -> int:
        """Note a trial; return the first trial of its configuration, perhaps itself."""
        return self._first.setdefault(canonical(configuration), number)

    def start(self, configuration: Mapping[str, Any], number: int) -> None:
        """Note a trial that this process runs."""
        first = self.add(configuration, number)
        if first != number:
            self._repeats[number] = first

    def first(self, number: int) -> int | None:
        """Return the trial whose result a running trial takes; None if it is trained itself."""
        return self._repeats.get(number)

    def end(self, number: int) -> bool:
        """End a running trial; return whether it repeated another one."""
        return self._repeats.pop(number, None) is not None

    def forget(self, configuration: Mapping[str, Any], number: int) -> None:
        """Let a configuration be trained again, if this trial was the first to have it."""
        if self._first.get(canonical(configuration)) == number:
            del self._first[canonical(configuration)]

    def is_repeat(self, record: TrialRecord) -> bool:
        """Return whether a trial that ended took its result from an earlier one."""
        return self._first.get(canonical(record.configuration), record.number) != record.number
