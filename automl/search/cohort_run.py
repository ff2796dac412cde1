"""A cohort from its proposal to its end: retry, bisection, and what its workers have reported."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from automl.families import get_family
from automl.records import Curve, State, TrialRecord, TrialSpec
from automl.workers import Cohort

__all__ = ["CohortRun"]

_ATTEMPTS = 2  # attempts of a whole cohort whose worker dies; the cohort may not be the cause

Prune = Callable[[int, dict[int, float]], set[int]]


@dataclass
class CohortRun:
    """A cohort in training, whole or in parts.

    If its worker dies, the cohort is tried once more, then in two halves, down to single trials, so that only the
    trial that kills workers fails. The parts train one after the other: the result does not depend on the number of
    workers. The pruner sees each score once.

    Parameters
    ----------
    cohort : Cohort
        The trials.
    epoch_steps : int
        Steps of an epoch: the scale of rungs.
    measured : bool
        Whether a worker measures trials as they end, so that a trial is complete only after the worker's report.
    n_folds : int
        Folds of a complete training.

    Attributes
    ----------
    training : Cohort or None
        The part that a worker trains.
    pruned : dict of int to int
        Rung at which each pruned trial was pruned.
    """

    cohort: Cohort
    epoch_steps: int = 1
    measured: bool = False
    n_folds: int = 1
    training: Cohort | None = None
    pruned: dict[int, int] = field(default_factory=dict)
    _started: float | None = None
    _scores: dict[int, dict[int, float]] = field(default_factory=dict)  # rung -> trial -> score
    _waiting: deque[Cohort] = field(default_factory=deque)
    _attempts: int = 0  # of the whole cohort
    _records: dict[int, TrialRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting.append(self.cohort)

    @property
    def waiting(self) -> bool:
        """Whether a part could start."""
        return self.training is None and bool(self._waiting)

    @property
    def ended(self) -> bool:
        """Whether all its trials have ended."""
        return len(self._records) == len(self.cohort.trials)

    @property
    def records(self) -> list[TrialRecord]:
        """The trials that have ended, in the order of the cohort."""
        return [self._records[trial.number] for trial in self.cohort.trials if trial.number in self._records]

    def start(self) -> Cohort:
        """Return the part to train now."""
        self.training, self._started = self._waiting.popleft(), time.time()
        return self.training

    def report(self, rung: int, scores: dict[int, float], prune: Prune) -> set[int]:
        """Return the trials to prune at a rung; ``prune`` sees only scores that are new."""
        known = self._scores.setdefault(rung, {})
        if not scores.keys() <= known.keys():
            self.pruned |= dict.fromkeys(prune(rung, scores), rung)
            known |= scores
        return {number for number in scores if self.pruned.get(number, rung + 1) <= rung}

    def finish(self, records: Sequence[TrialRecord]) -> None:
        """End the part in training with the worker's records."""
        self.training = None
        self._records |= {record.number: record for record in records}

    def retry(self, reason: str, *, whole: bool = True, seconds: float | None = None) -> None:
        """Schedule the part in training again, or its halves; a single trial fails.

        Parameters
        ----------
        reason : str
            Reason of the failure.
        whole : bool
            Whether the whole cohort may be tried once more.
        seconds : float, optional
            Seconds that the part was in training; None: since its start.
        """
        part = self.training
        if part is None:
            return
        self._attempts += 1
        n = len(part.trials)
        if whole and part is self.cohort and self._attempts < _ATTEMPTS:
            self._waiting.appendleft(part)
        elif n > 1:
            halves = part.trials[: n // 2], part.trials[n // 2 :]
            self._waiting.extendleft(replace(part, trials=half) for half in reversed(halves))
        else:
            self._end(part.trials, "failed", reason, seconds)
        self.training = None

    def end_part(self, state: State, reason: str, seconds: float) -> None:
        """End the part in training, after ``seconds``, with the scores it has reported."""
        if self.training is not None:
            self._end(self.training.trials, state, reason, seconds)
            self.training = None

    def end(self, state: State, reason: str) -> None:
        """End every trial that has not ended, with the scores it has reported."""
        remaining = [trial for trial in self.cohort.trials if trial.number not in self._records]
        self._end(remaining, state, reason)
        self.training = None
        self._waiting.clear()

    def _end(
        self, trials: Sequence[TrialSpec], state: State, reason: str, seconds: float | None = None
    ) -> None:
        started = self._started or time.time()
        share = (time.time() - started if seconds is None else seconds) / max(1, len(trials))
        for trial in trials:
            self._records[trial.number] = self._record(trial, state, reason, started, share)

    def _record(
        self, trial: TrialSpec, state: State, reason: str, started: float, seconds: float
    ) -> TrialRecord:
        last, rung = self._last_rung(trial), self.pruned.get(trial.number)
        reported = [
            (step, scores[trial.number])
            for step, scores in sorted(self._scores.items())
            if trial.number in scores
        ]
        if reported and reported[-1][0] == last and not self.measured:
            state, reason = "complete", ""
        elif rung is not None:
            state, reason = "pruned", f"pruned at rung {rung} of {last}"
        # Of a trial that trains on one fold after the other, only the last rung counts all folds.
        before_last = bool(reported) and reported[-1][0] < last and state != "failed"
        in_turn = self.cohort.floor is not None and before_last
        return TrialRecord(
            **trial.model_dump(),
            state=state,
            family=trial.family,
            score=reported[-1][1] if reported and state != "failed" else None,
            fold_scores=(reported[-1][1],) if in_turn else (),
            folds_left=self.n_folds - 1 if in_turn else 0,
            curve=Curve(
                rungs=tuple(step for step, _ in reported),
                scores=tuple(score for _, score in reported),
                epoch_steps=self.epoch_steps,
            ),
            started=started,
            seconds=seconds,
            reason=reason,
        )

    def _last_rung(self, trial: TrialSpec) -> int:
        return get_family(trial).last_rung(trial.family_params, self.epoch_steps)
