"""A cohort from its proposal until it is told: what is still to be trained of it, and what is known already."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from automl.families import family_of
from automl.records import Curve, State, TrialRecord, TrialSpec
from automl.workers import Cohort

__all__ = ["CohortRun"]

_ATTEMPTS = 2  # how often a cohort is tried whole whose worker dies; it may not have been its own fault

Judge = Callable[[int, dict[int, float]], set[int]]


@dataclass
class CohortRun:
    """A cohort at work, whole or in parts.

    Where its worker dies it is tried once more, then in two halves, and so on down to single trials: what kills
    workers costs no trial but the one that does it. The parts train one after the other, so that the same deaths have
    the same consequences with any number of workers. What was said at a rung is not judged again.

    Parameters
    ----------
    cohort : Cohort
        The trials.
    epoch_steps : int
        Steps of an epoch: the scale of rungs.
    measured : bool
        Whether a worker measures trials as they end, so that without its word none is complete.
    """

    cohort: Cohort
    epoch_steps: int = 1
    measured: bool = False
    at_work: Cohort | None = None  # the part that a worker has
    started: float | None = None
    pruned: dict[int, int] = field(default_factory=dict)  # trial -> rung
    _scores: dict[int, dict[int, float]] = field(default_factory=dict)  # rung -> trial -> score
    _waiting: deque[Cohort] = field(default_factory=deque)
    _attempts: int = 0  # of the cohort as a whole
    _records: dict[int, TrialRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting.append(self.cohort)

    @property
    def waiting(self) -> bool:
        """Whether a part of it could start."""
        return self.at_work is None and bool(self._waiting)

    @property
    def ended(self) -> bool:
        """Whether the end of all its trials is known."""
        return len(self._records) == len(self.cohort.trials)

    @property
    def records(self) -> list[TrialRecord]:
        """The trials that have ended, in the order of their proposals."""
        numbers = (proposal.number for proposal in self.cohort.trials)
        return [self._records[number] for number in numbers if number in self._records]

    def start(self) -> Cohort:
        """Return the part to train now."""
        self.at_work, self.started = self._waiting.popleft(), time.time()
        return self.at_work

    def judged(self, rung: int, scores: dict[int, float], judge: Judge) -> set[int]:
        """Return which trials to prune at a rung; ``judge`` is asked only for those it was not asked before."""
        known = self._scores.setdefault(rung, {})
        if not scores.keys() <= known.keys():
            self.pruned |= dict.fromkeys(judge(rung, scores), rung)
            known |= scores
        return {number for number in scores if self.pruned.get(number, rung + 1) <= rung}

    def finish(self, records: Sequence[TrialRecord]) -> None:
        """Keep how the trials of the part at work ended."""
        self.at_work = None
        self._records |= {record.number: record for record in records}

    def lost(self, reason: str, *, again: bool = True, seconds: float | None = None) -> None:
        """Try the part at work ``again``, or in halves; a single trial has failed."""
        part = self.at_work
        if part is None:
            return
        self._attempts += 1
        n = len(part.trials)
        if again and part is self.cohort and self._attempts < _ATTEMPTS:
            self._waiting.appendleft(part)
        elif n > 1:
            halves = part.trials[: n // 2], part.trials[n // 2 :]
            self._waiting.extendleft(replace(part, trials=half) for half in reversed(halves))
        else:
            self._give_up(part.trials, "failed", reason, seconds)
        self.at_work = None

    def give_up(self, state: State, reason: str, seconds: float) -> None:
        """End the part at work, which trained for ``seconds``, with what it said at rungs."""
        if self.at_work is not None:
            self._give_up(self.at_work.trials, state, reason, seconds)
            self.at_work = None

    def abandon(self, state: State, reason: str) -> None:
        """End what no worker will finish, with what it said at rungs."""
        self._give_up(
            [proposal for proposal in self.cohort.trials if proposal.number not in self._records],
            state,
            reason,
        )
        self.at_work = None
        self._waiting.clear()

    def _give_up(
        self, proposals: Sequence[TrialSpec], state: State, reason: str, seconds: float | None = None
    ) -> None:
        started = self.started or time.time()
        share = (time.time() - started if seconds is None else seconds) / max(1, len(proposals))
        for proposal in proposals:
            self._records[proposal.number] = self._record(proposal, state, reason, started, share)

    def _record(
        self, proposal: TrialSpec, state: State, reason: str, started: float, seconds: float
    ) -> TrialRecord:
        family, params, _ = family_of(proposal.configuration)
        last, rung = family.last_rung(params, self.epoch_steps), self.pruned.get(proposal.number)
        said = [
            (step, scores[proposal.number])
            for step, scores in sorted(self._scores.items())
            if proposal.number in scores
        ]
        if said and said[-1][0] == last and not self.measured:
            state, reason = "complete", ""
        elif rung is not None:
            state, reason = "pruned", f"pruned at rung {rung} of {last}"
        return TrialRecord(
            **proposal.model_dump(),
            state=state,
            family=family.name,
            score=said[-1][1] if said and state != "failed" else None,
            curve=Curve(
                rungs=tuple(step for step, _ in said),
                scores=tuple(score for _, score in said),
                epoch_steps=self.epoch_steps,
            ),
            started=started,
            seconds=seconds,
            reason=reason,
        )
