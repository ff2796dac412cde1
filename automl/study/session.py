"""A study at work: it proposes cohorts, judges them at rungs, and is told how their trials ended."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Container, Mapping, Sequence, Set
from copy import copy, deepcopy
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import check_distribution_compatibility
from optuna.samplers import PartialFixedSampler
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from automl.records import Proposal, SearchRecord, TrialRecord
from automl.space import Space

__all__ = [
    "Session",
    "clashes",
    "keep_run",
    "keep_settings",
    "read_records",
    "read_run",
    "read_search",
    "read_settings",
]

_REFUSED = 50  # proposals in a row that the space's rules may refuse
_REPEATED = 8  # leaders in a row that may be known already, before one is drawn that is not
_LEAD, _DIED = "lead", "died"  # attributes of a trial: the start it was made of, and that its process died
_DRAWS = 200  # random configurations that are all known, before the space counts as exhausted

_STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,  # Optuna has no word for it; its sampler learns from the last score all the same
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


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

    Notes
    -----
    A study that has trials goes on: what ended is known, and trials that were at work when their process died are told
    FAIL and lead the next cohorts, with the same configuration and seed under a new number. Nothing of that
    is remembered but in the study, so dying again in between does no harm.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that had ended before.
    exhausted : bool
        Whether nothing new is left to propose, as far as random draws tell.
    """

    def __init__(self, study: optuna.Study, space: Space, search: SearchRecord) -> None:
        self.study = study
        self._space, self._seed = space, search.random_state
        self._sampler = study.sampler
        self.exhausted = False
        self._live: dict[int, optuna.Trial] = {}
        self._first: dict[str, int] = {}  # configuration -> the trial that was the first to have it
        self._twins: dict[int, int] = {}
        self._repeated = 0
        # Known good starts come first, then one cohort of each family, before the sampler decides.
        families = space.size().dimensions
        leads: list[dict[str, Any]] = [*space.starts, *({"model": family} for family in families)]
        trials = study.get_trials(deepcopy=False)
        led = [trial.user_attrs.get(_LEAD) for trial in trials]
        self._leads = [lead for lead in leads if lead not in led]
        self.records = read_records(study)
        for record in self.records:
            if record.lasting:
                self._first.setdefault(_key(record.configuration), record.number)
        self._retries: dict[int, dict[str, Any]] = {}
        self._recover(trials)
        study.set_user_attr("search", search.model_dump(mode="json"))

    def propose(self, size: Callable[[Proposal], int]) -> tuple[Proposal, ...]:
        """Return the next cohort: a leader, and others that share its structure.

        Parameters
        ----------
        size : callable
            ``size(leader)``: how many trials the cohort shall have; it has fewer where the sampler insists on what the
            space forbids. One whose leader is known already is that leader alone.
        """
        leader = self._lead()
        if leader.number in self._twins:
            return (leader,)
        params = self._live[leader.number].params
        shared = {name: value for name, value in params.items() if self._space.structural(name)}
        cohort = [leader]
        for _ in range(size(leader) - 1):
            member = self._retry(shared) or self._ask(shared)
            if member is None:
                break
            cohort.append(member)
        return tuple(cohort)

    def twin(self, number: int) -> int | None:
        """Return the trial that has the same configuration as this one and need not be trained again, if any."""
        return self._twins.get(number)

    def judge(self, rung: int, scores: Mapping[int, float], hidden: Set[int] = frozenset()) -> set[int]:
        """Keep the scores of a cohort at a rung, and return the numbers of the trials to prune.

        Parameters
        ----------
        rung : int
            Where the cohort stands.
        scores : mapping of int to float
            Score by trial number; greater is better.
        hidden : set of int
            Trials that the pruner shall not compare with. (Optuna's hyperband compares within its brackets and
            does not ask.)
        """
        before = self.study.get_trials(deepcopy=False)
        for number, score in scores.items():
            if rung not in before[number].intermediate_values:  # a cohort tried again comes by once more
                self._live[number].report(score, step=rung)
        seen = copy(self.study)
        seen.get_trials = partial(_get_trials, self.study, hidden)  # type: ignore[method-assign]
        trials = self.study.get_trials(deepcopy=False)
        return {number for number in scores if self.study.pruner.prune(seen, trials[number])}

    def call(self, callback: Callable[[optuna.Study, FrozenTrial], None], number: int) -> bool:
        """Call back in Optuna's form for a trial that has ended; return whether the study was asked to stop."""
        asked: list[bool] = []
        seen = copy(self.study)
        # Optuna's own `stop` works inside `optimize` alone.
        seen.stop = lambda: asked.append(True)  # type: ignore[method-assign]
        callback(seen, deepcopy(self.study.get_trials(deepcopy=False)[number]))
        return bool(asked)

    def tell(self, record: TrialRecord) -> None:
        """Keep how a trial ended."""
        trial = self._live.pop(record.number)
        if self._twins.pop(record.number, None) is not None:
            for rung, score in zip(record.curve.rungs, record.curve.scores, strict=False):
                trial.report(score, step=rung)
        elif not record.lasting:
            self._first.pop(_key(record.configuration), None)
        trial.set_user_attr("record", record.model_dump(mode="json"))
        self._end(trial, record)

    def _lead(self) -> Proposal:
        """Return the first of a cohort: a good start, a family's first, what the sampler says, or something new."""
        if self._repeated >= _REPEATED and not self.exhausted:
            rng = self._rng()
            draws = (self._space.sample(rng) for _ in range(_DRAWS))
            new = next((draw for draw in draws if _key(draw) not in self._first), None)
            self.exhausted = new is None
            if new is not None:
                self._repeated = 0
                return self._proposal(*self._suggest(self._space.to_trial(new)))
        if self._retries:
            return self._retry({})  # type: ignore[return-value]
        lead = self._leads.pop(0) if self._leads else {}
        leader = self._ask(lead) or self._draw()
        if lead:
            self._live[leader.number].set_user_attr(_LEAD, lead)
        self._repeated = self._repeated + 1 if leader.number in self._twins else 0
        return leader

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, len(self.study.get_trials(deepcopy=False))])

    def _ask(self, fixed: dict[str, Any]) -> Proposal | None:
        """Return the sampler's next proposal; None if all it has are forbidden."""
        for _ in range(_REFUSED):
            trial, configuration = self._suggest(fixed)
            rule = self._space.forbidden(configuration)
            if not rule:
                return self._proposal(trial, configuration)
            trial.set_user_attr("forbidden", rule)
            self.study.tell(trial, state=TrialState.FAIL)
        return None

    def _draw(self) -> Proposal:
        """Return a random proposal that is not forbidden."""
        return self._proposal(*self._suggest(self._space.to_trial(self._space.sample(self._rng()))))

    def _recover(self, trials: Sequence[FrozenTrial]) -> None:
        """Bring the trials to an end that a dead process left at work, and see which are to be tried again."""
        recorded = {record.number: record for record in self.records}
        known = {_key(record.configuration) for record in self.records}
        for trial in trials:
            dead = trial.state == TrialState.RUNNING
            if dead and trial.number in recorded:
                self._end(trial.number, recorded[trial.number])
                continue
            if dead and "forbidden" not in trial.user_attrs:
                # Of trials that others asked for, Optuna lets only the storage write attributes.
                self.study._storage.set_trial_user_attr(trial._trial_id, _DIED, "the process died")
            if dead:
                self.study.tell(trial.number, state=TrialState.FAIL)
            if (dead and "forbidden" not in trial.user_attrs) or _DIED in trial.user_attrs:
                configuration = _configuration(self._space, trial)
                if configuration is not None and _key(configuration) not in known:
                    known.add(_key(configuration))
                    self._retries[trial.number] = trial.params

    def _retry(self, shared: Mapping[str, Any]) -> Proposal | None:
        """Return a trial to be tried again that has these values; None where there is none."""
        for number, params in self._retries.items():
            structure = {name: value for name, value in params.items() if self._space.structural(name)}
            if not shared or structure == shared:
                del self._retries[number]
                return self._proposal(*self._suggest(params), seed_of=number)
        return None

    def _end(self, trial: optuna.Trial | int, record: TrialRecord) -> None:
        value = record.score if record.state == "complete" else None
        self.study.tell(trial, value, state=_STATES[record.state])

    def _proposal(
        self, trial: optuna.Trial, configuration: dict[str, Any], *, seed_of: int | None = None
    ) -> Proposal:
        self._live[trial.number] = trial
        number = trial.number if seed_of is None else seed_of
        first = self._first.setdefault(_key(configuration), trial.number)
        if first != trial.number:
            self._twins[trial.number] = first
        return Proposal(
            number=trial.number,
            configuration=configuration,
            params=self._space.params(configuration),
            seed=int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0]),
        )

    def _suggest(self, fixed: dict[str, Any]) -> tuple[optuna.Trial, dict[str, Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.sampler = PartialFixedSampler(fixed, self._sampler) if fixed else self._sampler
        try:
            trial = self.study.ask()
            return trial, self._space.suggest(trial)
        finally:
            self.study.sampler = self._sampler


def _configuration(space: Space, trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the configuration of another process's trial; None where it has none that the space allows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            configuration = space.suggest(FixedTrial(trial.params))
    except ValueError:  # killed before all was suggested, or of a space that had more
        return None
    return configuration if space.accepts(configuration) else None


def clashes(study: optuna.Study, space: Space) -> dict[str, str]:
    """Return why Optuna cannot go on with a study in another space, by parameter.

    Optuna keeps the choices of a categorical parameter, and whether a range is logarithmic, for the whole of a study.
    """
    found: dict[str, str] = {}
    for record in read_records(study):
        if not space.accepts(record.configuration):
            continue
        probe = FixedTrial(space.to_trial(record.configuration))
        space.suggest(probe)
        old = study.get_trials(deepcopy=False)[record.number].distributions
        for name in old.keys() & probe.distributions.keys() - found.keys():
            try:
                check_distribution_compatibility(old[name], probe.distributions[name])
            except ValueError:
                found[name] = f"{probe.distributions[name]} instead of {old[name]}"
    return found


def _key(configuration: Mapping[str, Any]) -> str:
    """Return a text that equal configurations share."""
    return json.dumps(configuration, sort_keys=True, default=str)


def _get_trials(
    study: optuna.Study,
    hidden: Set[int],
    deepcopy: bool = True,
    states: Container[TrialState] | None = None,
) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy, states) if trial.number not in hidden]


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """Return the record of every trial that ended, by number."""
    kept = (trial.user_attrs.get("record") for trial in study.get_trials(deepcopy=False))
    return [TrialRecord.model_validate(record) for record in kept if record is not None]


def read_search(study: optuna.Study) -> SearchRecord | None:
    """Return what a study is about; None if no search of ours made it."""
    kept = study.user_attrs.get("search")
    return None if kept is None else SearchRecord.model_validate(kept)


def read_run(study: optuna.Study) -> str | None:
    """Return MLflow's run of a study's search, if it is known."""
    return study.user_attrs.get("run_id")


def keep_run(study: optuna.Study, run_id: str) -> None:
    """Keep which run of MLflow belongs to a study."""
    study.set_user_attr("run_id", run_id)


def read_settings(study: optuna.Study) -> dict[str, Any]:
    """Return the settings that a study's search was started with, as far as they are plain values."""
    return dict(study.user_attrs.get("settings", {}))


def keep_settings(study: optuna.Study, settings: Mapping[str, Any]) -> None:
    """Keep the settings that a study's search was started with."""
    study.set_user_attr("settings", dict(settings))
