"""Replay: train a recorded trial again, alone, and compare the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.errors import Fault, SettingError
from automl.metrics import import_scorers
from automl.records import SearchRecord, TrialRecord
from automl.search.large_table import read_sample
from automl.search.plan import Plan, make_plan
from automl.space import as_point
from automl.table import Split, TargetSettings, read_table
from automl.tracking import read_trial
from automl.workers import WorkerContext, train_single

__all__ = ["Replay", "find_trial", "replay_number", "replay_run", "replay_trial"]

_ROUNDING = 1e-4  # absolute and relative: float32 sums have another order outside of a cohort


@dataclass(frozen=True)
class Replay:
    """A recorded trial and its repetition.

    Parameters
    ----------
    recorded : TrialRecord
        The trial of the search.
    replayed : TrialRecord
        The same configuration and seed, trained to the same rung.
    """

    recorded: TrialRecord
    replayed: TrialRecord

    @property
    def same(self) -> bool:
        """Whether the scores are equal within rounding, or both have none."""
        old, new = self.recorded.score, self.replayed.score
        if old is None or new is None:
            return old is new
        return math.isclose(old, new, rel_tol=_ROUNDING, abs_tol=_ROUNDING)

    def __str__(self) -> str:
        rungs = self.recorded.curve.rungs
        where = f" at rung {rungs[-1]}" if rungs else ""
        lines = [
            f"trial {self.recorded.number}, {self.recorded.family}, {self.recorded.state}{where}",
            f"recorded  {_ended(self.recorded)}",
            f"replayed  {_ended(self.replayed)}",
            "the same within rounding" if self.same else "not the same",
        ]
        return "\n".join(lines)


def replay_trial(context: WorkerContext, record: TrialRecord) -> Replay:
    """Train a trial of a search again, in this process, alone and without limits.

    A pruned or stopped trial is trained to its last rung; a failed one until it fails or completes.

    Raises
    ------
    SettingError
        If the trial was stopped before it had a score, so that there is nothing to compare with.
    """
    if record.score is None and record.state != "failed":
        came = f"trial {record.number}, which had none when it was {record.state}: {record.reason}"
        raise SettingError(Fault("trial", "must have a score", came))
    last = record.curve.rungs[-1] if record.curve.rungs and record.state != "failed" else None
    n_folds = None if record.state == "failed" else len(record.fold_scores) or None
    return Replay(record, train_single(context, record.spec, last, n_folds))


def replay_number(context: WorkerContext, records: Sequence[TrialRecord], number: int) -> Replay:
    """Train the trial of that number again, as `replay_trial` does.

    Raises
    ------
    SettingError
        If there is no such trial, or it was stopped before it had a score.
    """
    return replay_trial(context, find_trial(records, number))


def find_trial(records: Sequence[TrialRecord], number: int) -> TrialRecord:
    """Return the trial of that number.

    Raises
    ------
    SettingError
        If there is none.
    """
    known = {record.number: record for record in records}
    if number not in known:
        came = f"{number}, of {len(records)} trials that ended"
        raise SettingError(Fault("number", "must be a trial of the study", came))
    return known[number]


def replay_run(
    run_id: str,
    X: Any = None,
    y: Any = None,
    *,
    scoring: Any = None,
    cv: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    allow_imports: Sequence[str] = (),
    tracking_uri: str | None = None,
) -> Replay:
    """Train a trial again from the facts in its MLflow run.

    Parameters
    ----------
    run_id : str
        Run of the trial.
    X, y : table and target, optional
        The table of the search, or a Path of its file; None reads the file that the search read.
    scoring, cv, groups, sample_weight : optional
        The settings of the search that were objects of a program; plain values are in the run.
    allow_imports : sequence of str
        As in `Search`: packages whose classes the configuration may name, and whose functions the scorer may be.
    tracking_uri : str or None
        MLflow store.

    Raises
    ------
    InputError
        If there is no such run, or the table, the folds or the scorer differ from those of the search.
    """
    facts, record = read_trial(run_id, tracking_uri)
    if isinstance(X, Path | None):
        X, y = _read(facts, X)
    if sample_weight is None and facts.sample_weight == "object":
        rule = "must be given, because the search had weights as an object"
        raise SettingError(Fault("sample_weight", rule, "none", "Call automl.search.replay_run with it."))
    if cv is None and groups is None and facts.cv == "object":
        rule = "must be given, because the search had splits or groups as objects"
        raise SettingError(Fault("cv", rule, "none", "Call automl.search.replay_run with cv or groups."))
    asked = list(facts.objectives) if scoring is None else scoring
    import_scorers(asked, allow_imports if scoring is None else None)
    plan = make_plan(
        X,
        y,
        space={"space": as_point(record.configuration)},
        allow_imports=allow_imports,
        scoring=asked,
        directions=facts.directions,
        cv=_folds(facts) if cv is None else cv,
        groups=groups if groups is not None or facts.groups == "object" else facts.groups or None,
        sample_weight=sample_weight if sample_weight is not None else facts.sample_weight or None,
        settings=_target_settings(facts),
        random_state=facts.random_state,
        types=facts.types,
        n_columns=facts.n_columns,
    )
    _check(plan, facts)
    return replay_trial(plan.worker_context(facts), record)


def _folds(facts: SearchRecord) -> Any:
    """Return the folds that the search asked for; None if they were an object."""
    if facts.cv is None:
        return Split(facts.n_folds, facts.hold_out)
    return None if facts.cv == "object" else facts.cv


def _read(facts: SearchRecord, file: Path | None) -> Any:
    """Return the table of the search and its target, or the sample of the table that the search had."""
    if file is None and not facts.file:
        rule = "must be given for a table that was made in memory"
        raise SettingError(Fault("FILE", rule, "none"))
    path = file or Path(facts.file)
    if facts.sample_rows:
        return read_sample(path, facts.target, facts.sample_rows, facts.random_state, **facts.reading)
    return read_table(path, target=facts.target, **facts.reading)


def _target_settings(facts: SearchRecord) -> TargetSettings:
    """Return the settings for the target that give the rows, codes and weights of the search."""
    return TargetSettings(
        task=facts.task,
        positive_class=facts.positive_class or None,
        class_weight=facts.class_weights or None,
        rare_classes=facts.rare_classes,
        time_column=facts.time_column or None,
    )


def _check(plan: Plan, facts: SearchRecord) -> None:
    """Raise SettingError if the table or the folds differ from those of the search."""
    prints = plan.fingerprints()
    if prints["content"] != facts.content:
        came = f"others ({len(plan.frame):,} rows, the search had {facts.n_rows:,})"
        raise SettingError(Fault("table", "must hold the values that the trial was trained on", came))
    if prints["folds"] != facts.folds:
        rule = "must give the folds that the trial was trained on"
        raise SettingError(Fault("cv", rule, "others", "Give the splits or groups of the search."))
    if prints["weights"] != facts.weights:
        rule = "must be the weights that the trial was trained with"
        raise SettingError(Fault("sample_weight", rule, "others"))


def _ended(record: TrialRecord) -> str:
    if record.score is not None:
        return f"{record.score:.10g}"
    reason = record.reason.strip().splitlines()
    return f"{record.state}: {reason[-1] if reason else 'without a reason'}"
