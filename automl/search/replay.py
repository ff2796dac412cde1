"""A trial trained again, alone, to see whether its score is what was recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.errors import Fault, SettingError
from automl.records import SearchRecord, TrialRecord, TrialSpec
from automl.search.plan import Plan, make_plan
from automl.table import read_table
from automl.tracking import read_trial
from automl.workers import WorkerContext, train_single

__all__ = ["Replay", "replay_number", "replay_run", "replay_trial"]

_ROUNDING = 1e-4  # of a score, or in it: alone, float32 sums come in another order than among neighbours


@dataclass(frozen=True)
class Replay:
    """What came of it.

    Parameters
    ----------
    recorded : TrialRecord
        The trial as it was.
    replayed : TrialRecord
        The same configuration and seed, trained to the rung it had come to.
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
    """Train a trial of a search again, in this process, without neighbours and without limits.

    One that was pruned or stopped is trained to the rung it had come to; one that failed, until it fails or completes.

    Raises
    ------
    SettingError
        If it ended without a score for want of time: there is nothing to compare with.
    """
    if record.score is None and record.state != "failed":
        came = f"trial {record.number}, which had none when it was {record.state}: {record.reason}"
        raise SettingError(Fault("trial", "must have come to a score", came))
    proposal = TrialSpec(**record.model_dump(include=set(TrialSpec.model_fields)))
    last = record.curve.rungs[-1] if record.curve.rungs and record.state != "failed" else None
    return Replay(record, train_single(context, proposal, last))


def replay_number(context: WorkerContext, records: Sequence[TrialRecord], number: int) -> Replay:
    """Train the trial of that number again, as `replay_trial` does.

    Raises
    ------
    SettingError
        If there is none, or it ended without a score for want of time.
    """
    known = {record.number: record for record in records}
    if number not in known:
        came = f"{number}, of {len(records)} trials that ended"
        raise SettingError(Fault("number", "must be a trial of the study", came))
    return replay_trial(context, known[number])


def replay_run(
    run_id: str,
    X: Any = None,
    y: Any = None,
    *,
    scoring: Any = None,
    cv: Any = None,
    groups: Any = None,
    allow_imports: Sequence[str] = (),
    tracking_uri: str | None = None,
) -> Replay:
    """Train a trial again from what its MLflow run recorded.

    Parameters
    ----------
    run_id : str
        The trial's run.
    X, y : table and target, optional
        Those of the search; None reads the file that the search read.
    scoring, cv, groups : optional
        What the search was given, where that was an object of a program; plain values are recorded.
    allow_imports : sequence of str
        As for the search: packages that the configuration may name classes of.
    tracking_uri : str or None
        MLflow's store.

    Raises
    ------
    InputError
        If there is no such run, or the table, its split or its scorer is not the one of the search.
    """
    about, record = read_trial(run_id, tracking_uri)
    if X is None:
        X, y = read_table(_file(about), target=about.target)
    if cv is None and groups is None and about.cv == "object":
        rule = "must be handed in where the splits were a program's own"
        raise SettingError(Fault("cv", rule, "none", "Call automl.search.replay_run with cv or groups."))
    asked = list(about.objectives) if scoring is None else scoring
    plan = make_plan(
        X,
        y,
        space={"space": _point(record.configuration)},
        allow_imports=allow_imports,
        scoring=asked,
        directions=about.directions,
        cv=about.cv if cv is None and about.cv != "object" else cv,
        groups=groups,
        random_state=about.random_state,
        n_columns=about.n_columns,
    )
    _check(plan, about)
    return replay_trial(plan.worker_context(about.random_state), record)


def _file(about: SearchRecord) -> Path:
    if not about.file:
        rule = "must be named for a search whose table came from no file"
        raise SettingError(Fault("FILE", rule, "none"))
    return Path(about.file)


def _point(configuration: Any) -> Any:
    """Return a configuration as a space of that one point: the space's own checks are made of it, imports included."""
    if isinstance(configuration, dict):
        return {name: _point(value) for name, value in configuration.items()}
    return [configuration] if isinstance(configuration, list) else configuration


def _check(plan: Plan, about: SearchRecord) -> None:
    """Refuse to compare what was trained on something else."""
    prints = plan.fingerprints()
    if prints["content"] != about.content:
        came = f"others ({len(plan.frame):,} rows, the search had {about.n_rows:,})"
        raise SettingError(Fault("table", "must hold the values that the trial was trained on", came))
    if prints["folds"] != about.folds:
        rule = "must give the folds that the trial was trained on"
        raise SettingError(Fault("cv", rule, "others", "Hand in the splits or groups of the search."))


def _ended(record: TrialRecord) -> str:
    if record.score is not None:
        return f"{record.score:.10g}"
    reason = record.reason.strip().splitlines()
    return f"{record.state}: {reason[-1] if reason else 'without a reason'}"
