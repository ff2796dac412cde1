"""Kill a search at random moments, resume it each time, and check that nothing is lost.

Between the kills the disk is full from one write on, or the study becomes read-only; with one job and two. The moments
are fractions of the time that an undisturbed search takes, so the speed of the machine does not matter. A kill after
the last trial hits the refit of the winner or the export of its model.
``python -m tests.support.kill_and_resume 30 [seed]`` works in a temporary folder. The searches are forks of this
process, so that a kill hits the search and not its imports.
"""

from __future__ import annotations

import faulthandler
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
from optuna.trial import TrialState

import automl
from automl.records import TrialRecord
from automl.search import Search
from automl.study import load_study, read_records
from automl.study.journal import Journal
from tests.support.tables import small

_SET_STATE = 6  # code of a trial's state in the lines of Optuna's journal files

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
TRIALS_PER_KILL = 9
MAX_SECONDS = 300  # of one search; after it the search prints where each of its threads is, and ends
MAX_DELAY = 1 / 10  # of the duration of an undisturbed search
FAULTS = ("kill", "kill", "disk full", "kill", "kill", "kill", "kill", "read-only", "kill", "kill")
UNPRIVILEGED_USER = 65534
JOURNAL = Path("mlruns/studies/s.journal")
STORE = "sqlite:///mlruns/mlflow.db"


def search(n_trials: int, jobs: int = 1, storage: str | None = None, **more: Any) -> Search:
    return Search(
        SPACE, study_name="s", storage=storage, n_trials=n_trials, timeout=None, cv=3, n_jobs=jobs,
        progress=False, tracking_uri=STORE, **more,
    ).fit(*small())  # fmt: skip


def forked(n_trials: int, jobs: int = 1, fault: str = "", delay: float = 0.0) -> int:
    """Search in a child process, inject a fault after a delay in seconds, and return the exit status."""
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
        try:
            if fault in WRITE_FAULTS:
                inject_at_write(WRITE_FAULTS[fault], delay)
            search(n_trials, jobs)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if fault == "kill":
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if JOURNAL.exists():
        os.chmod(JOURNAL, 0o644)
    return status


def fill_disk() -> None:
    """Limit the file size to half a line more than the study has."""
    limit = JOURNAL.stat().st_size + 40 if JOURNAL.exists() else 40
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def forbid_writing() -> None:
    """Make the study read-only; as root, change to an unprivileged user, because root may always write."""
    if JOURNAL.exists() and not os.geteuid():
        os.chmod(JOURNAL, 0o444)
        os.seteuid(UNPRIVILEGED_USER)
    elif JOURNAL.exists() and JOURNAL.stat().st_uid == os.geteuid():
        os.chmod(JOURNAL, 0o444)


WRITE_FAULTS: dict[str, Callable[[], None]] = {"disk full": fill_disk, "read-only": forbid_writing}


def inject_at_write(fault: Callable[[], None], delay: float) -> None:
    """Inject a fault at the first write to the study after a delay in seconds."""
    append, due = Journal.append_logs, time.monotonic() + delay

    def write(journal: Any, logs: list[dict[str, Any]]) -> None:
        if time.monotonic() > due:
            fault()
        append(journal, logs)

    Journal.append_logs = write  # type: ignore[method-assign]


def finished_trials() -> dict[int, TrialRecord]:
    try:
        return {record.number: record for record in read_records(load_study("s"))}
    except (automl.AutomlError, KeyError):
        return {}  # killed before there was a study


def board() -> list[tuple[object, ...]]:
    """Return the facts of all trials that must not depend on faults."""
    return [
        (number, one.params, one.seed, one.state, one.score, one.fold_scores, one.curve.scores)
        for number, one in finished_trials().items()
    ]


def check_study(known: dict[int, TrialRecord]) -> None:
    now = finished_trials()
    assert all(now[number].model_dump_json() == record.model_dump_json() for number, record in known.items())


def check_end() -> Counter[str]:
    study, records = load_study("s"), finished_trials()
    trials = study.get_trials()
    assert [trial.number for trial in trials] == sorted(records)
    assert all(trial.state.is_finished() for trial in trials)
    lines = Path("mlruns/studies/s.journal").read_text().splitlines()
    logs = [json.loads(line) for line in lines]
    times = Counter(
        log["trial_id"]
        for log in logs
        if log["op_code"] == _SET_STATE and TrialState(log["state"]).is_finished()
    )
    assert set(times.values()) == {1}
    assert len(times) == len(trials)
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
        status = "FAILED" if record.state == "failed" else "FINISHED"
        assert run.info.status == status
        assert run.data.metrics.get("score") == record.score
        assert json.loads(run.data.tags.get("automl.fold_scores", "[]")) == list(record.fold_scores)
        assert run.data.params == {name: str(value) for name, value in record.params.items()}
        for name, expected in histories(record).items():
            points = client.get_metric_history(run.info.run_id, name)
            assert sorted((point.step, point.value) for point in points) == expected, name
    assert sum("automl.best" in run.data.tags for run in children) == 1


def histories(record: TrialRecord) -> dict[str, list[tuple[int, float]]]:
    """Return the steps and values that a run has for each metric, each once."""
    curve = record.curve
    rates = list(enumerate(curve.learning_rates, start=1))
    inner = {
        epoch
        for epoch, rate in rates[1:-1]
        if curve.learning_rates[epoch - 2] == rate == curve.learning_rates[epoch]
    }  # of a constant stretch, its ends are logged
    return {
        "score": list(zip(curve.rungs, curve.scores, strict=True)),
        "train_loss": list(enumerate(curve.losses, start=1)),
        "learning_rate": [(epoch, rate) for epoch, rate in rates if epoch not in inner],
    }


def main(kills: int, seed: int) -> None:
    rng = random.Random(seed)
    n_trials = TRIALS_PER_KILL * kills
    for name in ("undisturbed", "killed"):
        Path(name).mkdir()
    os.chdir("undisturbed")
    started = time.monotonic()
    assert forked(n_trials) == 0
    max_delay = MAX_DELAY * (time.monotonic() - started)
    expected = board()
    os.chdir("../killed")
    known: dict[int, TrialRecord] = {}
    faults: Counter[str] = Counter()
    during_trials = 0
    for i in range(10 * kills):
        fault = FAULTS[i % len(FAULTS)]
        status = forked(n_trials, 1 + i // len(FAULTS) % 2, fault, rng.uniform(0, max_delay))
        assert status in (0, signal.SIGKILL if fault == "kill" else 1 << 8), (fault, status)
        faults[fault] += status != 0
        check_study(known)
        known = finished_trials()
        during_trials += status != 0 and len(known) < n_trials
        if faults["kill"] == kills:
            break
    assert faults["kill"] == kills
    assert kills < len(FAULTS) or (faults["disk full"] and faults["read-only"])
    assert during_trials > kills // 2
    assert forked(n_trials) == 0
    check_study(known)
    assert board() == expected
    print(f"{dict(faults)}, {during_trials} during trials, the same {n_trials} trials:", dict(check_end()))


if __name__ == "__main__":
    os.chdir(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp())
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
