"""A study at work: it proposes cohorts, judges them at rungs, and is told how their trials ended."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl.metrics import to_score
from automl.records import SearchRecord, TrialRecord, TrialSpec
from automl.space import Conflicts, Space
from automl.study.attributes import CONFIGURATION, key, proposed_with, read_search, records_of, save_search
from automl.study.grid_sampler import Points
from automl.study.history import COHORT, History, cohort_of, family, leader_of
from automl.study.journal import batched_writes
from automl.study.peers import ProcessLease
from automl.study.pending import Drafts
from automl.study.study_overlay import as_complete, as_proposed, rewritten, view

__all__ = ["RemoteUpdates", "Session"]

_REFUSED = 50  # proposals in a row that the space's rules may refuse
_REPEATED = 8  # leaders in a row that may be known already, before one is drawn that is not
_DRAWS = 200  # random configurations that are all known, before the space counts as exhausted

# Attributes of a trial: the good start it was made of; which refusal in a row it is, if it is refused.
_LEAD, _REFUSAL = "lead", "refusal"
_OWNER = "owner"  # attribute of a trial: the process that trains it
_SURPLUS = "surplus"  # attribute of a trial that two processes proposed at once where there was room for one

_STARTUP = 5  # complete trials of a family, by which alone cohorts are judged then; Optuna's pruners wait for as many
_LOOK = 1.0  # seconds between two looks at what other processes do

_STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,  # Optuna has no word for it; its sampler learns from the last score all the same
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class RemoteUpdates:
    """What has happened in a study that this process did not do.

    Parameters
    ----------
    records : tuple of TrialRecord
        Trials of other processes that have ended.
    orphaned : tuple of tuple of TrialSpec
        Cohorts that were at work when their process died, and are to be trained here. Those of their trials that were
        told already are among them: trained together, the others come out as they would have.
    """

    records: tuple[TrialRecord, ...] = ()
    orphaned: tuple[tuple[TrialSpec, ...], ...] = ()


@dataclass
class _Cohort:
    """A cohort as a pruner is to see it: its trials as this process trains them."""

    sees: int | None
    trials: dict[int, FrozenTrial] = field(default_factory=dict)


class Session:
    """The only one who speaks to the study while a search runs.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        What may be tried.
    search : SearchRecord
        What the study is about; kept in it.
    lease : ProcessLease or None
        This process's place among those that search the study; None: nobody else does.
    n_trials : int or None
        Trials in all, of all processes together.

    Notes
    -----
    A study that has trials goes on: what ended is known, and trials that were at work when their process died are
    trained again, with the same number, seed and cohort. All that takes is kept in the study, so dying again in
    between does no harm, and what comes out is what would have come out.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that had ended before.
    exhausted : bool
        Whether nothing new is left to propose, as far as random draws tell.
    prunes : bool
        Whether trials may be pruned at all.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        search: SearchRecord,
        lease: ProcessLease | None = None,
        n_trials: int | None = None,
    ) -> None:
        self.study, self._lease, self._n_trials = study, lease, n_trials
        self._space, self._seed, self._search = space, search.random_state, search
        self._storage = study._storage
        self.exhausted, self._repeated = False, 0
        self._refused = 0  # draws in a row, by a process that died before it came to another
        self._looked = float("-inf")
        self._remote: dict[int, dict[str, Any] | None] = {}  # other processes' trials: their configurations
        self._company = False  # whether other processes have proposed since this one came
        self._met = 0  # trials of the study that are known here, whoever proposed them
        self._live: dict[int, int] = {}  # trials that are not told yet, with their ids in the storage
        self._first: dict[str, int] = {}  # configuration -> the trial that was the first to have it
        self._duplicates: dict[int, int] = {}
        self._cohorts: dict[int, _Cohort] = {}
        trials = study.get_trials(deepcopy=False)
        self.records = records_of(trials)
        self._conflicts = Conflicts(space)
        for record in self.records:
            self._learn(record)
        drawn = {one.number: known for one in trials if (known := one.user_attrs.get(CONFIGURATION))}
        drawn |= {record.number: record.configuration for record in self.records}
        self._history = History(self._seed, study.directions, rewritten(trials, drawn, space))
        self._drafts = Drafts(study, space, self._history)
        self._judging, self._view = view(study)
        self.prunes = not (search.several or isinstance(study.pruner, optuna.pruners.NopPruner))
        # Known good starts come first, then one cohort of each family, before the sampler decides.
        self._points = study.sampler if isinstance(study.sampler, Points) else None
        families = [] if self._points else space.size().dimensions
        self._leads: list[dict[str, Any]] = [
            *space.initial_params,
            *({"model": family} for family in families),
        ]
        before = read_search(study)
        self._recover(trials, same=before is not None and before.space_digest == search.space_digest)
        self._history.take(study.get_trials(deepcopy=False))
        save_search(study, search)

    @property
    def remote_trials(self) -> Set[int]:
        """Numbers of the trials that other processes have at work."""
        return self._remote.keys()

    def poll_remote(self) -> RemoteUpdates:
        """See what other processes have come to, and take over what the dead ones left; once a second at most."""
        if time.monotonic() - self._looked < _LOOK:
            return RemoteUpdates()
        self._looked = time.monotonic()
        if self._lease is not None:
            self._lease.heartbeat()
        trials = self.study.get_trials(deepcopy=False)
        self._meet(trials)
        dead = []
        takes_over = self._lease is None or (bool(self._remote) and self._lease.is_first())
        for number in sorted(self._remote):
            running = not trials[number].state.is_finished()
            if running and takes_over and not self._is_alive(trials[number].user_attrs.get(_OWNER)):
                dead.append(number)
        if dead:  # what they said last
            trials = self.study.get_trials(deepcopy=False)
        records = [
            record
            for number in sorted(self._remote)
            if trials[number].state.is_finished()
            or (number in dead and "record" in trials[number].user_attrs)
            for record in self._ended_elsewhere(trials[number])
        ]
        left = [trials[number] for number in dead if number in self._remote]
        if self._remote or records:
            self._history.take(trials)
        return RemoteUpdates(tuple(records), tuple(self._taken_over(trials, left)))

    def _ended_elsewhere(self, trial: FrozenTrial) -> list[TrialRecord]:
        """Know no more of another process's trial but how it ended, if that is known."""
        configuration = self._remote.pop(trial.number)
        records = records_of([trial])
        for record in records:
            self._learn(record)
        if not trial.state.is_finished():  # killed between two lines
            self._end(records[0])
        if configuration is not None and not any(record.lasting for record in records):
            self._forget(configuration, trial.number)
        return records

    def _is_alive(self, owner: str | None) -> bool:
        return self._lease is not None and owner is not None and self._lease.is_alive(owner)

    def _meet(self, trials: Sequence[FrozenTrial]) -> None:
        """Get to know the trials that other processes have proposed since."""
        for trial in trials[self._met :]:
            if trial.number in self._live or trial.state.is_finished() and "record" not in trial.user_attrs:
                continue
            configuration = proposed_with(trial, self._space)
            self._remote[trial.number] = configuration
            self._company = self._company or self._is_alive(trial.user_attrs.get(_OWNER))
            if configuration is not None:
                self._first.setdefault(key(configuration), trial.number)
        self._met = max(self._met, len(trials))

    def _forget(self, configuration: Mapping[str, Any], number: int) -> None:
        """Let a configuration be trained again, if that trial was the first to have it."""
        if self._first.get(key(configuration)) == number:
            del self._first[key(configuration)]

    def _taken_over(
        self, trials: Sequence[FrozenTrial], left: Sequence[FrozenTrial]
    ) -> list[tuple[TrialSpec, ...]]:
        """Take over trials that were at work when their process died, and return their cohorts."""
        leaders = set()
        for trial in left:
            configuration = self._remote.pop(trial.number)
            if configuration is None:
                self.study.tell(trial.number, state=TrialState.FAIL)
            else:
                if self._lease is not None:
                    self._storage.set_trial_user_attr(trial._trial_id, _OWNER, self._lease.token)
                self._begin(trial, configuration)
                leaders.add(leader_of(trial))
        recorded = (
            {record.number: record for record in records_of(self.study.get_trials(deepcopy=False))}
            if leaders
            else {}
        )
        found = []
        for number in sorted(leaders):
            members = [
                trial
                for trial in trials
                if leader_of(trial) == number and (trial.number in self._live or trial.number in recorded)
            ]
            leader = trials[number]
            cohort = _Cohort(cohort_of(leader).get("sees"), {one.number: as_proposed(one) for one in members})
            proposals = [
                self._again(trial, recorded.get(trial.number))
                for trial in members
                if trial.number in self._live or not self._repeats(recorded[trial.number])
            ]
            found.append(tuple(self._filled(proposals, leader, cohort)))
        return found

    def propose(self, size: Callable[[TrialSpec], int], sees: int | None = None) -> tuple[TrialSpec, ...]:
        """Return the next cohort: a leader, and others that share its structure; nobody where a grid is at its end.

        Parameters
        ----------
        size : callable
            ``size(leader)``: how many trials the cohort shall have; it has fewer where the sampler insists on what the
            space forbids. One whose leader is known already is that leader alone.
        sees : int or None
            The cohort will be judged by trials with numbers below this one; None: by all there are.
        """
        trials = self.study.get_trials(deepcopy=False)
        self._history.take(trials)
        self._meet(trials)
        drawn = None if self._judging.stopped else self._lead()
        if drawn is None:
            return ()
        lead, draft, configuration = drawn
        known = key(configuration) in self._first
        self._repeated = self._repeated + 1 if known else 0
        mark = {
            "size": 1 if known else size(self._proposal(draft.number, configuration)),
            "sees": sees,
            "repeated": self._repeated,
            "exhausted": self.exhausted,
        }
        leader = self._keep(draft, configuration, {COHORT: mark, **({_LEAD: lead} if lead else {})})
        if leader is None:
            return ()
        proposal = self._begin(leader, configuration)
        return tuple(self._filled([proposal], leader, _Cohort(sees, {leader.number: as_proposed(leader)})))

    def duplicate(self, number: int) -> int | None:
        """Return the trial that has the same configuration as this one and need not be trained again, if any."""
        return self._duplicates.get(number)

    def report(self, rung: int, scores: Mapping[int, float]) -> set[int]:
        """Keep the scores of a cohort at a rung, and return the numbers of the trials to prune.

        What the pruner sees follows from what the cohort was proposed with, and from what its trials have scored since
        it was started: whether it was started before, and came further then, makes no difference. It sees trials of the
        same family alone: what others score after as many steps is of another kind. While few of these have come to
        their end, those that train beside a trial are to it as if they ended here: else nobody would leave a first
        cohort. Later they would be too many of a kind: where all are good, half of them would leave at every rung.

        Parameters
        ----------
        rung : int
            Where the cohort stands.
        scores : mapping of int to float
            Score by trial number; greater is better.

        With several objectives Optuna neither keeps scores at rungs nor prunes, so nothing happens.
        """
        if self._search.several:
            return set()
        cohort = self._cohorts[next(iter(scores))]
        with batched_writes(self.study):
            self._write_scores(cohort, rung, scores)
        own = family(next(iter(cohort.trials.values())).params)
        cohorts = self._cohorts.values() if cohort.sees is None else ()
        others = [trial for one in cohorts if one is not cohort for trial in one.trials.values()]
        at_work = [trial for trial in others if family(trial.params) == own]
        self._view.part = [*at_work, *self._history.compared(own, cohort.sees)]
        complete = (one for one in self._view.part if one.state == TrialState.COMPLETE)
        few = sum(rung in one.intermediate_values for one in complete) < _STARTUP
        pruned = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Wilcoxon's, of trials that have rungs of their own
            for number in scores:
                beside = {n: as_complete(cohort.trials[n], rung) for n in scores if few and n != number}
                self._view.shown = cohort.trials | beside
                if self.study.pruner.prune(self._judging, cohort.trials[number]):
                    pruned.add(number)
                cohort.trials[number] = self._view.shown[number]
        return pruned

    def _write_scores(self, cohort: _Cohort, rung: int, scores: Mapping[int, float]) -> None:
        for number, score in scores.items():
            trial, value = cohort.trials[number], self._value(score)
            before = {step: said for step, said in trial.intermediate_values.items() if step < rung}
            trial.intermediate_values = {**before, rung: value}
            stored = self._storage.get_trial(trial._trial_id)
            if stored.state == TrialState.RUNNING and rung not in stored.intermediate_values:
                self._storage.set_trial_intermediate_value(trial._trial_id, rung, value)

    def call(self, callback: Callable[[optuna.Study, FrozenTrial], None], number: int) -> bool:
        """Call back in Optuna's form for a trial that has ended; return whether the study was asked to stop."""
        asked: list[bool] = []
        seen = copy(self.study)
        # Optuna's own `stop` works inside `optimize` alone.
        seen.stop = lambda: asked.append(True)  # type: ignore[method-assign]
        callback(seen, deepcopy(self.study.get_trials(deepcopy=False)[number]))
        return bool(asked)

    def tell(self, record: TrialRecord) -> bool:
        """Keep how a trial ended; return whether it was still this process's to tell."""
        trial_id = self._live.pop(record.number)
        self._cohorts.pop(record.number, None)
        owner = self._storage.get_trial(trial_id).user_attrs.get(_OWNER)
        if self._lease is not None and owner != self._lease.token:
            self._duplicates.pop(record.number, None)
            self._remote[record.number] = record.configuration
            return False
        with batched_writes(self.study):
            self._write_result(record, trial_id)
        self._history.add(self._storage.get_trial(trial_id))
        self._learn(record)
        return True

    def _learn(self, record: TrialRecord) -> None:
        """Add the outcome of a trial to the known conflicts."""
        if record.state == "failed" or record.score is not None:
            self._conflicts.add(record.configuration, record.reason if record.state == "failed" else "")

    def _write_result(self, record: TrialRecord, trial_id: int) -> None:
        if self._duplicates.pop(record.number, None) is not None:
            if not self._search.several:
                for rung, score in zip(record.curve.rungs, record.curve.scores, strict=False):
                    self._storage.set_trial_intermediate_value(trial_id, rung, self._value(score))
        elif not record.lasting:
            self._first.pop(key(record.configuration), None)
        if record.violation:
            # What Optuna notes in a trial whose constraints are set.
            notes = create_trial(value=0.0, constraints=record.violation).system_attrs
            for name, value in notes.items():
                self._storage.set_trial_system_attr(trial_id, name, value)
        self._storage.set_trial_user_attr(trial_id, "record", record.model_dump(mode="json"))
        self._end(record)

    def _value(self, score: float) -> float:
        """Return a score as the study has it: with the direction of its only or first objective."""
        return to_score(score, self._search.directions[0])

    def _lead(self) -> tuple[dict[str, Any], FrozenTrial, dict[str, Any]] | None:
        """Draw the first of a cohort: a good start, a family's first, what the sampler says, or something new."""
        if self._points and not self._leads:
            point = self._point()
            return point and ({}, *point)
        if self._repeated >= _REPEATED and not self.exhausted:
            new = next((draw for draw in self._samples() if key(draw) not in self._first), None)
            self.exhausted = new is None
            if new is not None:
                return {}, *self._drafts.draw(self._space.to_trial(new))
        lead = self._leads.pop(0) if self._leads else {}
        drawn = self._draw(lead)
        if drawn is None:
            sample = next(self._samples(), None)
            drawn = None if sample is None else self._drafts.draw(self._space.to_trial(sample))
        return drawn and (lead, *drawn)

    def _samples(self) -> Iterator[dict[str, Any]]:
        """Yield random configurations that are neither forbidden nor known to fail."""
        rng = self._rng()
        draws = (self._space.sample(rng) for _ in range(_DRAWS))
        return (draw for draw in draws if not self._conflicts.reason(draw))

    def _point(self, like: Mapping[str, Any] | None = None) -> tuple[FrozenTrial, dict[str, Any]] | None:
        """Draw the next point of a grid that is not known yet; None where there is none, or none like that."""
        while self._points and (point := self._points.take(like)) is not None:
            draft, configuration = self._drafts.draw(point)
            if key(configuration) not in self._first and not self._conflicts.reason(configuration):
                return draft, configuration
        return None

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._history.known])

    def _draw(
        self, fixed: dict[str, Any], *, leads: bool = True
    ) -> tuple[FrozenTrial, dict[str, Any]] | None:
        """Draw a trial; None if all that the sampler has are forbidden."""
        refused, self._refused = self._refused, 0
        while refused < _REFUSED:
            draft, configuration = self._drafts.draw(fixed, leads=leads)
            rule = self._space.forbidden(configuration) or self._conflicts.reason(configuration)
            if not rule:
                return draft, configuration
            refused += 1
            kept = self._drafts.keep(draft, {"forbidden": rule, _REFUSAL: refused}, TrialState.FAIL)
            self._met += kept.number == self._met
        return None

    def _keep(
        self, draft: FrozenTrial, configuration: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> FrozenTrial | None:
        """Write a draft into the study as this process's own; None where others have proposed all there were to be."""
        owner = {} if self._lease is None else {_OWNER: self._lease.token}
        trial = self._drafts.keep(draft, {CONFIGURATION: configuration, **attributes, **owner})
        if (
            self._company or trial.number > self._met
        ):  # others may have proposed just now, and they come first
            before = self.study.get_trials(deepcopy=False)[: trial.number]
            for other in before[self._met :]:
                self._history.add(other)
            self._meet(before)
            counted = sum(one.state != TrialState.FAIL or "record" in one.user_attrs for one in before)
            if self._n_trials is not None and counted >= self._n_trials:
                self._storage.set_trial_user_attr(trial._trial_id, _SURPLUS, True)
                self.study.tell(trial.number, state=TrialState.FAIL)
                self._history.add(self._storage.get_trial(trial._trial_id))
                return None
        self._met = trial.number + 1
        return trial

    def _filled(self, proposals: list[TrialSpec], leader: FrozenTrial, cohort: _Cohort) -> list[TrialSpec]:
        """Return a cohort with all the trials it is to have."""
        size = cohort_of(leader).get("size", 1)
        params = self._history.rewritten.get(leader.number, leader).params
        shared = {name: value for name, value in params.items() if self._space.structural(name)}
        while len(cohort.trials) < size:
            drawn = self._point(shared) if self._points else self._draw(shared, leads=False)
            trial = drawn and self._keep(*drawn, {COHORT: {"leader": leader.number}})
            if drawn is None or trial is None:
                mark = {**cohort_of(leader), "size": len(cohort.trials)}
                self._storage.set_trial_user_attr(leader._trial_id, COHORT, mark)
                break
            cohort.trials[trial.number] = as_proposed(trial)
            proposals.append(self._begin(trial, drawn[1]))
        self._cohorts |= dict.fromkeys(cohort.trials, cohort)
        return proposals

    def _recover(self, trials: Sequence[FrozenTrial], *, same: bool) -> None:
        """See what is known of a study, and which of its trials were at work when their process died.

        ``same`` tells whether the space is what it was.
        """
        recorded = {record.number: record for record in self.records}
        self._refused = trials[-1].user_attrs.get(_REFUSAL, 0) if trials else 0
        for trial in trials:
            if (lead := trial.user_attrs.get(_LEAD)) in self._leads:
                self._leads.remove(lead)
            if same and "size" in cohort_of(trial):
                self._repeated, self.exhausted = cohort_of(trial)["repeated"], cohort_of(trial)["exhausted"]
            record = recorded.get(trial.number)
            if record is not None:
                if trial.state == TrialState.RUNNING and not self._is_alive(trial.user_attrs.get(_OWNER)):
                    self._end(record)  # killed between two lines
                if record.lasting:
                    self._first.setdefault(key(record.configuration), record.number)
                self._met = trial.number + 1
            else:
                self._meet(trials[: trial.number + 1])

    def _begin(self, trial: FrozenTrial, configuration: dict[str, Any]) -> TrialSpec:
        """Take a trial of the study as one that is to be told."""
        self._live[trial.number] = trial._trial_id
        first = self._first.setdefault(key(configuration), trial.number)
        if first != trial.number:
            self._duplicates[trial.number] = first
        return self._proposal(trial.number, configuration)

    def _repeats(self, record: TrialRecord) -> bool:
        """Return whether a trial was told what an equal one had come to."""
        return self._first.get(key(record.configuration), record.number) != record.number

    def _again(self, trial: FrozenTrial, record: TrialRecord | None) -> TrialSpec:
        """Return the proposal that a trial was."""
        configuration = proposed_with(trial, self._space) if record is None else record.configuration
        return self._proposal(trial.number, configuration or {})

    def _end(self, record: TrialRecord) -> None:
        values: list[float] | None = None
        if record.state == "complete" and record.score is not None:
            one, several = [self._value(record.score)], self._search.several
            values = [record.values[name] for name in self._search.objectives] if several else one
        self._view.part, self._view.shown = None, {}
        self._judging.tell(record.number, values, state=_STATES[record.state])

    def _proposal(self, number: int, configuration: dict[str, Any]) -> TrialSpec:
        return TrialSpec(
            number=number,
            configuration=configuration,
            params=self._space.params(configuration),
            seed=int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0]),
            blas_threads=self._search.blas_threads,
        )
