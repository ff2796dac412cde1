"""The state of a trial while its cohort trains, and the time charged to it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from automl.records import Curve, State, TrialRecord, TrialSpec

__all__ = ["TimeAccount", "TrialProgress"]


@dataclass
class TrialProgress:
    """Everything known of a trial so far.

    Parameters
    ----------
    spec : TrialSpec
        The trial.
    last_rung : int
        The rung at which it is complete.
    n_folds : int
        The folds of a complete training.
    """

    spec: TrialSpec
    last_rung: int
    n_folds: int
    rungs: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    fold_scores: tuple[float, ...] = ()
    score_seconds: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    violation: dict[str, float] = field(default_factory=dict)
    found_params: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    prepare_seconds: float = 0.0  # before the first fit
    fit_seconds: float = 0.0
    fit_seconds_scored: float = 0.0  # up to the last score
    state: State | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the trial has not ended."""
        return self.state is None

    def add_scores(self, rung: int, fold_scores: Sequence[float], seconds: Sequence[float]) -> None:
        """Take the scores of the folds at a rung; they replace those of fewer folds at the same rung."""
        self.fold_scores, self.score_seconds = tuple(fold_scores), tuple(seconds)
        if self.rungs[-1:] == [rung]:
            self.rungs.pop()
            self.scores.pop()
        self.rungs.append(rung)
        self.scores.append(float(np.mean(fold_scores)))

    def end(self, state: State, reason: str = "") -> None:
        """End the trial."""
        self.state, self.reason = state, reason

    def record(
        self,
        family: str,
        started: float,
        epoch_steps: int,
        history: tuple[tuple[float, ...], tuple[float, ...]],
    ) -> TrialRecord:
        """Return the record of the ended trial.

        Parameters
        ----------
        family : str
            The family's name.
        started : float
            When the cohort started, in seconds since 1970.
        epoch_steps : int
            Steps of an epoch.
        history : pair of tuples of float
            Training losses and learning rates by epoch.
        """
        losses, learning_rates = history
        return TrialRecord(
            **self.spec.model_dump(),
            state=self.state or "failed",
            family=family,
            score=self.scores[-1] if self.scores and self.state != "failed" else None,
            fold_scores=self.fold_scores,
            folds_left=self.n_folds - len(self.fold_scores) if self.fold_scores else 0,
            score_seconds=self.score_seconds,
            metrics=self.metrics,
            values=self.values,
            excess=self.violation,
            found_params=self.found_params,
            curve=Curve(
                losses=losses,
                learning_rates=learning_rates,
                rungs=tuple(self.rungs),
                scores=tuple(self.scores),
                epoch_steps=epoch_steps,
            ),
            started=started,
            seconds=self.seconds,
            prepare_seconds=self.prepare_seconds,
            fit_seconds=self.fit_seconds_scored,
            reason=self.reason,
        )


class TimeAccount:
    """Divides the time of a cohort among its trials, and tells when their time limit is reached.

    Parameters
    ----------
    trials : sequence of TrialProgress
        The trials.
    trial_timeout : float
        Seconds for each of them.
    """

    def __init__(self, trials: Sequence[TrialProgress], trial_timeout: float) -> None:
        self._trials, self._trial_timeout = trials, trial_timeout
        self._read = time.perf_counter()
        self._limit = float("inf")

    def charge(self, positions: Sequence[int], *, fitting: bool = False) -> None:
        """Charge the time since the last reading to these trials in equal parts."""
        before, self._read = self._read, time.perf_counter()
        for position in positions:
            trial, seconds = self._trials[position], (self._read - before) / len(positions)
            trial.seconds += seconds
            if fitting:
                trial.fit_seconds += seconds
            elif trial.rungs:  # it has just been scored
                trial.fit_seconds_scored = trial.fit_seconds
            else:
                trial.prepare_seconds += seconds
        training = [trial for trial in self._trials if trial.is_open]
        most = max((trial.seconds for trial in training), default=0.0)
        self._limit = self._read + (self._trial_timeout - most) * len(training)

    def skip(self) -> None:
        """Charge the time since the last reading to no trial."""
        self._read = time.perf_counter()

    def overdue(self) -> bool:
        """Return whether an open trial has used all its time."""
        return time.perf_counter() >= self._limit
