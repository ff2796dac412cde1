"""The cost model: seconds and bytes that training takes, learned from the trials that ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl.constraints import named
from automl.families import Family, get_family, params_at_stop
from automl.records import SearchRecord, TrialRecord, TrialSpec
from automl.workers import cohort_bytes, matrices_key

__all__ = ["CostModel"]

_DECAY = 0.8  # weight of earlier observations after each new one
_DOUBT = 8.0  # of a family that has not been measured
_DOUBT_AT_RUNG = 2.0  # of one whose first cohort has reached a rung


class CostModel:
    """Estimate what trials cost on the table of a search.

    The time of the fits is proportional to ``Family.cost``; its factor is learned from the trials of the family with
    the same kind of made columns (``features``), which multiply the columns; at first from its other trials. The time
    of the preparation is that of the same preprocessing before.

    Parameters
    ----------
    facts : SearchRecord
        Size of the table and number of folds.
    """

    def __init__(self, facts: SearchRecord) -> None:
        self._n_rows, self._n_columns, self._n_folds = facts.n_rows, facts.n_columns, facts.n_folds
        self._epoch_steps, self._density = facts.epoch_steps, facts.density
        # Training takes time for stored cells: those of so many full columns.
        self._full_columns = max(1, round(facts.n_columns * facts.density))
        # Family and made columns -> cost and seconds.
        self._observed: dict[tuple[str, str], tuple[float, float]] = {}
        self._of_family: dict[str, tuple[float, float]] = {}  # the same of all its trials
        self._at_rung: dict[tuple[str, str], tuple[float, float]] = {}  # of the first cohort, until that ends
        self._reached: dict[int, float] = {}  # trial -> seconds until its last rung
        self._preparing: dict[str, float] = {}  # preprocessing -> seconds to prepare the folds
        self._reading: dict[str, float] = {}  # the same of its last trial, which may have found the matrices
        # Rows that a trial trains on, all folds together, as a multiple of the table's.
        self._training_rows = int(self._n_rows * max(self._n_folds - 1, 0.8))
        self._fold_rows = self._training_rows // self._n_folds

    def observe(self, family: str, cost: float, seconds: float, features: str = "none") -> None:
        """Learn the seconds of a family's unit of cost; large and recent observations weigh more."""
        if cost > 0:
            key = family, features
            self._observed[key] = _decayed(self._observed.get(key, (0.0, 0.0)), cost, seconds)
            self._of_family[family] = _decayed(self._of_family.get(family, (0.0, 0.0)), cost, seconds)

    def seconds(self, family: str, cost: float, guess: float = 0.0, features: str = "none") -> float:
        """Return the seconds for ``cost`` units of a family; ``guess`` is the first value for one unit."""
        found = self._observed.get((family, features)) or self._at_rung.get((family, features))
        cost_done, took = found or self._of_family.get(family, (1.0, guess))
        return took / cost_done * cost

    def is_measured(self, spec: TrialSpec) -> bool:
        """Return whether trials of this family, with the same kind of made columns, have been measured."""
        return (spec.family, _features(spec)) in self._observed

    def doubt(self, spec: TrialSpec) -> float:
        """Return the factor by which the estimate of a trial may be too long."""
        if self.is_measured(spec):
            return 1.0
        return _DOUBT_AT_RUNG if (spec.family, _features(spec)) in self._at_rung else _DOUBT

    def trial_seconds(self, specs: Sequence[TrialSpec]) -> float:
        """Return the seconds to train trials of one family on all folds."""
        family, features = get_family(specs[0]), _features(specs[0])
        fits = self.seconds(family.name, self._cost(family, specs), family.unit_seconds, features)
        return fits + self._reading.get(matrices_key(specs[0].preprocess), 0.0)

    def refit_seconds(self, record: TrialRecord) -> float:
        """Return the seconds to prepare all rows and train a trial on them, alone, from those that its folds took."""
        family = get_family(record)
        if record.seconds and record.curve.rungs:
            rows = self._n_rows / self._training_rows
            preparing = self._preparing.get(matrices_key(record.preprocess), record.prepare_seconds) * rows
            return family.solo_slowdown * self._fit_seconds(family, record) * rows + preparing
        cost = family.cost(params_at_stop(record), self._n_rows, self._full_columns)
        return family.solo_slowdown * self.seconds(family.name, cost, family.unit_seconds, _features(record))

    def _fit_seconds(self, family: Family, record: TrialRecord) -> float:
        """Return the seconds to train the folds of a trial to the model that a refit trains."""
        # A trial that was stopped is trained to its last rung again, and one that stopped early to its best score.
        last = min(record.seconds, self._reached.get(record.number, record.seconds))
        seconds = (record.fit_seconds or last) / record.trained_share / min(1.0, record.curve.epochs)
        trained = record.family_params
        if record.state != "complete":
            trained = family.truncated_params(trained, record.curve.rungs[-1], record.curve.epoch_steps)
        return seconds * family.kept_share(trained, record.found_params, self._fold_rows)

    def refit_share(self, specs: Sequence[TrialSpec]) -> float:
        """Return the seconds of training one trial on all rows, as a share of those of all trials on all folds."""
        return get_family(specs[0]).solo_slowdown * self._n_rows / (self._training_rows * len(specs))

    def learn(self, records: Sequence[TrialRecord]) -> None:
        """Learn from the trials of a cohort that ended."""
        family = get_family(records[0])
        key, preparing = matrices_key(records[0].preprocess), sum(one.prepare_seconds for one in records)
        # Later cohorts find the matrices.
        self._preparing[key] = max(preparing, self._preparing.get(key, 0.0))
        self._reading[key] = preparing
        ends = [float("inf") if record.state == "complete" else record.curve.epochs for record in records]
        ended = zip(records, ends, strict=True)
        cost = sum(record.trained_share * self._cost_until(family, record, end) for record, end in ended)
        # Below one epoch the fixed costs dominate; that is better than nothing, and no better.
        if max(record.curve.epochs for record in records) >= 1 or family.name not in self._of_family:
            self.observe(family.name, cost, sum(map(_scored_seconds, records)), _features(records[0]))

    def learn_rung(
        self, specs: Sequence[TrialSpec], rung: int, seconds: float, *, in_turn: bool = False
    ) -> None:
        """Learn from trials that reached a rung after ``seconds``: their refit, and a family that is not measured.

        A trial that is trained on one fold after the other reaches all rungs but its last on its first fold. Seconds
        of 0 are unknown.
        """
        if seconds <= 0:
            return
        family = get_family(specs[0])
        self._reached |= {spec.number: seconds / len(specs) for spec in specs}
        cost = sum(self._cost_until(family, spec, rung / self._epoch_steps) for spec in specs)
        if in_turn and rung < family.last_rung(specs[0].family_params, self._epoch_steps):
            cost /= self._n_folds
        if cost > 0:
            self._at_rung[family.name, _features(specs[0])] = cost, seconds

    def learn_minimum(self, specs: Sequence[TrialSpec], seconds: float) -> None:
        """Learn from trials that were killed after ``seconds``: they take at least as long."""
        if seconds > self.trial_seconds(specs):
            family = get_family(specs[0])
            self.observe(family.name, self._cost(family, specs), seconds, _features(specs[0]))

    def max_cohort_size(self, spec: TrialSpec) -> int:
        """Return the number of trials that the family trains together at most."""
        return get_family(spec).max_cohort_size(spec.family_params, self._n_columns)

    def memory(self, spec: TrialSpec, n_trials: int = 1, *, shared: bool = False) -> float:
        """Return the bytes that a worker needs for a cohort of trials like this one.

        With ``shared``, another worker has the same matrices loaded.
        """
        params: list[dict[str, Any]] = [spec.family_params] * n_trials
        size = self._n_rows, self._n_columns, self._n_folds
        return cohort_bytes(get_family(spec), params, *size, density=self._density, shared=shared)

    def _cost_until(self, family: Family, spec: TrialSpec | TrialRecord, epochs: float) -> float:
        """Return the cost of the first ``epochs`` of a training; all of a complete trial that stopped early."""
        params, steps = spec.family_params, self._epoch_steps
        whole = family.cost(params, self._training_rows, self._full_columns)
        if epochs >= family.epochs(params):
            return whole
        part = family.truncated_params(params, int(epochs * steps), steps)
        if "early_stopping" in family.section.parameters:
            part = {**part, "early_stopping": False}
        return min(1.0, epochs) * family.cost(part, self._training_rows, self._full_columns)

    def _cost(self, family: Family, specs: Sequence[TrialSpec]) -> float:
        return sum(family.cost(spec.family_params, self._training_rows, self._full_columns) for spec in specs)


def _decayed(before: tuple[float, float], cost: float, seconds: float) -> tuple[float, float]:
    return cost + _DECAY * before[0], seconds + _DECAY * before[1]


def _scored_seconds(record: TrialRecord) -> float:
    """Return the seconds of a trial after its preparation; of one that did not complete, those up to its last score."""
    if record.fit_seconds and (record.folds_left or record.state != "complete"):
        return record.fit_seconds
    return record.seconds - record.prepare_seconds


def _features(trial: TrialSpec | TrialRecord) -> str:
    """Return the kind of columns that the preprocessing makes of others."""
    return named(trial.preprocess.get("features", "none"))[0]
