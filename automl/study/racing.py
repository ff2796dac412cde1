"""The score that a trial must keep up with from fold to fold."""

from __future__ import annotations

from bisect import insort

from automl.records import SearchRecord, TrialRecord

__all__ = ["FoldRace"]


class FoldRace:
    """Knows the lowest fold score of the best trial.

    A trial whose mean over its folds so far is below that score is unlikely to become the best one (Bergman et al.
    2024, "Don't waste your time: early stopping cross-validation").

    Parameters
    ----------
    search : SearchRecord
        The search, for its constraints.
    """

    def __init__(self, search: SearchRecord) -> None:
        self._search = search
        self._ranked: list[tuple[tuple[float, ...], int, float]] = []  # place, number, lowest fold score

    def add(self, record: TrialRecord) -> None:
        """Take in a trial that has ended."""
        feasible = record.group(self._search) == 0
        if record.state == "complete" and feasible and len(record.fold_scores) > 1:
            insort(self._ranked, (record.place(self._search), record.number, min(record.fold_scores)))

    def floor(self, sees: int | None) -> float | None:
        """Return the lowest fold score of the best complete trial; None without one.

        Parameters
        ----------
        sees : int or None
            Trials with lower numbers count; None: all.
        """
        return next((lowest for _, number, lowest in self._ranked if sees is None or number < sees), None)
