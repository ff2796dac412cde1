"""Kill a search at random moments, resume it each time, and check that nothing is lost.

Between the kills the disk is full from one write on, or the study becomes read-only; with one job and two. The moments
are fractions of the time that an undisturbed search takes, so the speed of the machine does not matter. A kill after
the last trial hits the refit of the winner or the export of its model.
``python -m tests.support.kill_and_resume 30 [seed]`` works in a temporary folder. The searches are forks of this
process, so that a kill hits the search and not its imports.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

import automl
from automl.records import TrialRecord
from automl.search import Search
from automl.study import load_study, read_records
from automl.study.journal import Journal
from tests.support.tables import small

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 1e-3, "high": 1, "log": True}, "max_epochs": [4, 8]},
                "decision_tree": {"max_depth": {"low": 1, "high": 6}},
            }
        }
    },
    "enqueue": [{"model": "linear", "linear.learning_rate": 0.1}],
}
A_KILL = 15  # trials of the search for each kill
LONGEST = 1 / 10  # of the time that an undisturbed search takes, until something happens
WAYS = ("kill", "kill", "fill", "kill", "kill", "kill", "kill", "forbid", "kill", "kill")
NOBODY = 65534
JOURNAL = Path("mlruns/studies/s.journal")
STORE = "sqlite:///mlruns/mlflow.db"


MISHAPS: dict[str, Callable[[], None]] = {"fill": lambda: fill(), "forbid": lambda: forbid()}


def search(n_trials: int, jobs: int = 1, storage: str | None = None, **more: Any) -> Search:
    return Search(
        SPACE, study_name="s", storage=storage, n_trials=n_trials, timeout=None, cv=3, n_jobs=jobs,
        progress=False, tracking_uri=STORE, **more,
    ).fit(*small())  # fmt: skip


def forked(n_trials: int, jobs: int = 1, way: str = "", seconds: float = 0.0) -> int:
    """Search in a child that something happens to after so many seconds; return its exit status."""
    child = os.fork()
    if not child:
        try:
            if way in MISHAPS:
                befall(MISHAPS[way], seconds)
            search(n_trials, jobs)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if way == "kill":
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if JOURNAL.exists():
        os.chmod(JOURNAL, 0o644)
    return status


def befall(mishap: Callable[[], None], seconds: float) -> None:
    """Let a mishap come over this process at its first write to the study after so many seconds."""
    append, due = Journal.append_logs, time.monotonic() + seconds

    def write(journal: Journal, logs: list[dict[str, Any]]) -> None:
        if time.monotonic() > due:
            mishap()
        append(journal, logs)

    Journal.append_logs = write  # type: ignore[method-assign]


def fill() -> None:
    """Leave room for half a line."""
    room = JOURNAL.stat().st_size + 40 if JOURNAL.exists() else 40
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def forbid() -> None:
    """Take the permission to write away; from root too, who needs none."""
    if JOURNAL.exists() and not os.geteuid():
        os.chmod(JOURNAL, 0o444)
        os.seteuid(NOBODY)
    elif JOURNAL.exists() and JOURNAL.stat().st_uid == os.geteuid():
        os.chmod(JOURNAL, 0o444)


def ended() -> dict[int, TrialRecord]:
    try:
        return {record.number: record for record in read_records(load_study("s"))}
    except (automl.AutomlError, KeyError):
        return {}  # killed before there was a study


def board() -> list[tuple[object, ...]]:
    """Return what must not depend on whether anybody was killed."""
    return [
        (number, one.params, one.seed, one.state, one.score, one.fold_scores, one.curve.scores)
        for number, one in ended().items()
    ]


def check_study(known: dict[int, TrialRecord]) -> None:
    now = ended()
    assert all(now[number].model_dump_json() == record.model_dump_json() for number, record in known.items())


def check_end() -> Counter[str]:
    study, records = load_study("s"), ended()
    trials = study.get_trials()
    assert [trial.number for trial in trials] == sorted(records)
    assert all(trial.state.is_finished() for trial in trials)
    lines = Path("mlruns/studies/s.journal").read_text().splitlines()
    logs = [json.loads(line) for line in lines]
    told = Counter(
        log["trial_id"]
        for log in logs
        if log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES
        and TrialState(log["state"]).is_finished()
    )
    assert set(told.values()) == {1}
    assert len(told) == len(trials)
    check_mlflow(study.user_attrs["run_id"], records)
    return Counter(record.state for record in records.values())


def check_mlflow(run_id: str, records: dict[int, TrialRecord]) -> None:
    # MLflow remembers stores by their URI, and this folder is not the only one with such a name.
    client = MlflowClient(f"sqlite:///{Path('mlruns/mlflow.db').absolute()}")
    experiments = [client.get_experiment_by_name("automl").experiment_id]
    parents = client.search_runs(experiments, "tags.`automl.kind` = 'search'")
    found = [(run.info.run_id, run.info.status) for run in parents]
    assert found == [(run_id, "FINISHED")], found
    children = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=5000)
    assert sorted(int(run.data.tags["automl.number"]) for run in children) == sorted(records)
    for run in children:
        record = records[int(run.data.tags["automl.number"])]
        status = {"complete": "FINISHED", "failed": "FAILED"}.get(record.state, "KILLED")
        assert run.info.status == status
        assert run.data.metrics.get("score") == record.score
        assert run.data.params == {name: str(value) for name, value in record.params.items()}
        for name, expected in histories(record).items():
            points = client.get_metric_history(run.info.run_id, name)
            assert sorted((point.step, point.value) for point in points) == expected, name
    assert sum("automl.best" in run.data.tags for run in children) == 1


def histories(record: TrialRecord) -> dict[str, list[tuple[int, float]]]:
    """Return what a run must hold of its trial's curve, by metric: steps and values, each once."""
    curve = record.curve
    return {
        "score": list(zip(curve.rungs, curve.scores, strict=True)),
        "train_loss": list(enumerate(curve.losses, start=1)),
        "learning_rate": list(enumerate(curve.learning_rates, start=1)),
        "fold_score": list(enumerate(record.fold_scores)),
    }


def main(kills: int, seed: int) -> None:
    chance = random.Random(seed)
    n_trials = A_KILL * kills
    Path("calm").mkdir()
    Path("killed").mkdir()
    os.chdir("calm")
    started = time.monotonic()
    assert forked(n_trials) == 0
    longest = LONGEST * (time.monotonic() - started)
    expected = board()
    os.chdir("../killed")
    known: dict[int, TrialRecord] = {}
    deaths: Counter[str] = Counter()
    at_work = 0
    for i in range(10 * kills):
        way = WAYS[i % len(WAYS)]
        status = forked(n_trials, 1 + i // len(WAYS) % 2, way, chance.uniform(0, longest))
        assert status in (0, signal.SIGKILL if way == "kill" else 1 << 8), (way, status)
        deaths[way] += status != 0
        check_study(known)
        known = ended()
        at_work += status != 0 and len(known) < n_trials
        if deaths["kill"] == kills:
            break
    assert deaths["kill"] == kills
    assert kills < len(WAYS) or (deaths["fill"] and deaths["forbid"])
    assert at_work > kills // 2
    assert forked(n_trials) == 0
    check_study(known)
    assert board() == expected
    print(f"{dict(deaths)}, {at_work} at work, the same {n_trials} trials:", dict(check_end()))


if __name__ == "__main__":
    os.chdir(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp())
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
