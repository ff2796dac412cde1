"""Measure the orchestration of a trial: propose, prune, record in the study, log to MLflow.

``python benchmarks/overhead.py`` prints four tables, ``--json`` one object a line, ``--part NAME`` (repeatable) only
some. All times are milliseconds a trial.

``trial``   200 trials that cost nothing, 50 epochs of three metrics each, a journal file, everything in MLflow on
            SQLite; the same written with Optuna and MLflow the way their documentation does, call by call; and with
            MLflow as Optuna's storage. The peers run fewer trials, for they take long.
``growth``  the same search, with the default pruner, going on to 10,000 trials: what a trial takes over the hundred
            before, and the memory of the process; then by how much that grew from 200 to 1,000 trials, which is to
            be less than 10 %.
``share``   the part of a search with three trials a second that the MLflow writer takes, in seconds and in CPU seconds
            of its thread; to be less than 5 % of what two cores offer.
``limit``   what bounds it: a run of MLflow alone, in the fewest calls there are, and one transaction of bare SQLite.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pickle
import queue
import resource
import sqlite3
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from automl.families import Problem, incompatibility_check, load_space, rung_levels
from automl.metrics import metric_for
from automl.records import Curve, SearchRecord, TrialRecord, TrialSpec
from automl.search import Admission, Budget, Loop, Observers, SearchSpec
from automl.study import Session, create_study, make_pruner, make_sampler
from automl.tracking import NullProgress, Tracker
from automl.workers import Cohort, Event, Finished, RungReached, Workers

EPOCHS = 50
REACH = 40.0
PEER_TRIALS = {"Optuna + MLflow, call by call": 40, "MLflow as Optuna's storage": 60}
GROWTH = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)
BLOCK = 100
PARTS = ("trial", "growth", "share", "limit")


def space() -> Any:
    problem = Problem("binary", 2)
    return load_space("linear").specialise(
        "binary", incompatibility_check(problem, metric_for(None, "binary", 2))
    )


def curve(params: dict[str, Any]) -> list[float]:
    """Return a score by epoch that depends on the configuration, as a learning curve does."""
    rate, l2 = params["model.linear.learning_rate"], params["model.linear.l2"]
    best = 0.9 - 0.02 * abs(math.log10(rate) + 2) - 0.1 * min(1.0, math.sqrt(l2))
    return [best - 0.3 * math.exp(-epoch * rate * 20) for epoch in range(1, EPOCHS + 1)]


def record(proposal: TrialSpec, state: Any = "complete", rung: int = EPOCHS) -> TrialRecord:
    scores = tuple(curve(proposal.params)[:rung])
    return TrialRecord(
        **proposal.model_dump(),
        state=state,
        family="linear",
        score=scores[-1],
        curve=Curve(
            losses=tuple(1 - score for score in scores),
            learning_rates=(proposal.params["model.linear.learning_rate"],) * rung,
            rungs=tuple(range(1, rung + 1)),
            scores=scores,
        ),
        started=time.time(),
        seconds=0.001,
    )


class Instant(Workers):
    """Trials that cost nothing, on a thread of their own; what goes there and back is pickled, as for a process."""

    def __init__(self) -> None:
        super().__init__(slots=1)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[set[int]] = queue.SimpleQueue()

    def submit(self, cohort: Cohort) -> None:
        sent = pickle.dumps(cohort)
        threading.Thread(target=self._run, args=(cohort, sent), daemon=True).start()

    def next(self, timeout: float | None = None) -> Event | None:
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Nothing is left to stop."""

    def _run(self, cohort: Cohort, sent: bytes) -> None:
        at_work = {proposal.number: curve(proposal.params) for proposal in pickle.loads(sent).trials}
        ended = {}
        for rung in sorted({*rung_levels(EPOCHS), EPOCHS}):
            scores = {number: by_epoch[rung - 1] for number, by_epoch in at_work.items()}
            if not scores:
                break
            self._events.put(RungReached(cohort, rung, scores, self._replies.put))
            for number in self._replies.get():
                del at_work[number]
                ended[number] = rung
        records = [
            record(one, "pruned", ended[one.number]) if one.number in ended else record(one)
            for one in cohort.trials
        ]
        self._events.put(Finished(cohort, pickle.loads(pickle.dumps(records))))


class Clocked:
    """Forward to another object and measure the time of its methods."""

    def __init__(self, inner: Any, names: dict[str, str], spent: dict[str, float]) -> None:
        self._inner, self._names, self._spent = inner, names, spent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return found(*args, **kwargs)
            finally:
                self._spent[self._names[name]] += time.perf_counter() - start

        return timed


@contextmanager
def scratch() -> Iterator[Path]:
    """Run in an empty folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def resident() -> float:
    """Return this process's memory in MB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def ours(n_trials: int, marks: Sequence[int], pruner: str | None = None) -> list[dict[str, Any]]:
    """Return what a trial took over the block that ends at each mark, everything written."""
    spent: dict[str, float] = defaultdict(float)
    rows: list[dict[str, Any]] = []
    about = SearchRecord(
        study_name="overhead", task="binary", target="y", scoring="roc_auc", space="linear",
        space_digest="0", n_rows=1_000, n_columns=20, n_folds=3, random_state=0,
    )  # fmt: skip
    with scratch() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        study = create_study("overhead", None, sampler=make_sampler(None, 0), pruner=make_pruner(pruner))
        session = Session(study, space(), about)
        tracker.start(about, {"n_trials": n_trials})
        began = defaultdict(float, wall=time.perf_counter())
        block = [0, began]

        class Marks(NullProgress):
            """Takes the time at the ends of blocks."""

            def trial(self, record: TrialRecord) -> None:
                done = record.number + 1
                edges = {mark - BLOCK for mark in marks if len(marks) > 1} | set(marks)
                if done in edges:
                    tracker.flush()
                    now = defaultdict(
                        float, **spent, wall=time.perf_counter(), log=tracker.seconds, done=done
                    )
                    if done in marks:
                        rows.append(difference(block[1], now) | {"memory_mb": resident()})
                    block[1] = now

        spec = SearchSpec(facts=about, settings={"n_trials": n_trials, "refit": False})
        workers = Clocked(Instant(), {"submit": "dispatch"}, spent)
        Loop(
            spec,
            Clocked(session, {"propose": "propose", "report": "judge", "tell": "tell"}, spent),
            workers,
            Admission(spec, Budget(None, n_trials), workers, tracker),
            Observers(tracker, Marks()),
        ).run()
        tracker.close("finished")
    return rows


def difference(before: dict[str, float], now: dict[str, float]) -> dict[str, Any]:
    n = now["done"] - before["done"]
    names = ("wall", "propose", "dispatch", "judge", "tell", "log")
    return {"trials": int(now["done"])} | {
        f"{name}_ms": 1e3 * (now[name] - before[name]) / n for name in names
    }


def grown(rows: Sequence[dict[str, Any]], first: int = 200, last: int = 1_000) -> list[dict[str, Any]]:
    """Return the growth of the process between two trial counts, and its limit."""
    has = {row["trials"]: row["memory_mb"] for row in rows}
    if not {first, last} <= has.keys():
        return []
    what = f"memory of {last:,} trials beside that of {first:,}"
    return [{"what": what, "grown_percent": 100 * (has[last] / has[first] - 1), "limit_percent": 10.0}]


def objective(trial: optuna.Trial, log: Any) -> float:
    """Train nothing, the documentation's way: log and report epoch by epoch."""
    configuration = space_of_peers().suggest(trial)
    params = space_of_peers().params(configuration)
    log.params(params)
    scores = curve(params)
    for epoch, score in enumerate(scores, start=1):
        log.metric("train_loss", 1 - score, epoch)
        log.metric("learning_rate", params["model.linear.learning_rate"], epoch)
        log.metric("score", score, epoch)
        trial.report(score, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return scores[-1]


_PEERS: list[Any] = []


def space_of_peers() -> Any:
    if not _PEERS:
        _PEERS.append(space())
    return _PEERS[0]


class CallByCall:
    """MLflow's fluent interface, one call a value."""

    def params(self, params: dict[str, Any]) -> None:
        import mlflow

        mlflow.log_params(params)

    def metric(self, name: str, value: float, step: int) -> None:
        import mlflow

        mlflow.log_metric(name, value, step=step)


class Nowhere:
    """Log nothing: the peer with MLflow as Optuna's storage keeps reports alone."""

    def params(self, params: dict[str, Any]) -> None:
        pass

    def metric(self, name: str, value: float, step: int) -> None:
        pass


def peer(name: str) -> dict[str, Any]:
    import mlflow

    n_trials = PEER_TRIALS[name]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with scratch() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        experiment = mlflow.create_experiment("peer", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("peer")
        sampler, pruner = optuna.samplers.TPESampler(seed=0), optuna.pruners.NopPruner()
        times: list[float] = []

        def timed(trial: optuna.Trial, _: Any = None) -> None:
            times.append(time.perf_counter())

        if name.startswith("MLflow"):
            from mlflow.optuna.storage import MlflowStorage

            storage: Any = MlflowStorage(experiment_id=experiment)
            study = optuna.create_study(
                direction="maximize", study_name="peer", storage=storage, sampler=sampler, pruner=pruner
            )
            times.append(time.perf_counter())
            study.optimize(
                lambda trial: objective(trial, Nowhere()),
                n_trials=n_trials,
                callbacks=[lambda s, t: timed(t)],
            )
        else:
            backend = optuna.storages.journal.JournalFileBackend(str(folder / "peer.journal"))
            storage = optuna.storages.JournalStorage(backend)
            study = optuna.create_study(direction="maximize", storage=storage, sampler=sampler, pruner=pruner)

            def tracked(trial: optuna.Trial) -> float:
                with mlflow.start_run(nested=True):
                    return objective(trial, CallByCall())

            with mlflow.start_run():
                times.append(time.perf_counter())
                study.optimize(tracked, n_trials=n_trials, callbacks=[lambda s, t: timed(t)])
    a_trial = [1e3 * (end - start) for start, end in zip(times, times[1:], strict=False)]
    tenth = max(1, n_trials // 10)
    return {
        "what": name,
        "trials": n_trials,
        "wall_ms": sum(a_trial) / n_trials,
        "first_ms": sum(a_trial[:tenth]) / tenth,
        "last_ms": sum(a_trial[-tenth:]) / tenth,
    }


def limits(n: int = 100) -> list[dict[str, Any]]:
    """Return what a run costs MLflow alone, and what its rows cost SQLite alone."""
    proposal = TrialSpec(
        number=0,
        configuration={},
        params={"model.linear.learning_rate": 0.01, "model.linear.l2": 0.0},
        seed=0,
    )
    one = record(proposal)
    rows = []
    with scratch() as folder:
        about = SearchRecord(
            study_name="limit", task="binary", target="y", scoring="roc_auc", space="linear",
            space_digest="0", n_rows=1_000, n_columns=20, n_folds=3, random_state=0,
        )  # fmt: skip
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        tracker.start(about, {})
        start = tracker.seconds
        for number in range(n):
            tracker.log_trial(one.model_copy(update={"number": number}))
        tracker.flush()
        rows.append({"what": "a run of MLflow, 150 points", "wall_ms": 1e3 * (tracker.seconds - start) / n})
        tracker.close("finished")
    with scratch():
        bare = sqlite3.connect("bare.db")
        bare.execute("create table metrics (run text, key text, value real, step integer, stamp integer)")
        bare.commit()
        begin = time.perf_counter()
        for number in range(n):
            bare.executemany(
                "insert into metrics values (?, ?, ?, ?, ?)",
                [(str(number), "score", 0.5, step, 0) for step in range(3 * EPOCHS)],
            )
            bare.commit()
        rows.append(
            {
                "what": "150 rows of SQLite, one transaction",
                "wall_ms": 1e3 * (time.perf_counter() - begin) / n,
            }
        )
        bare.close()
    return rows


def share(n_trials: int = 45, a_second: float = 3.0) -> list[dict[str, Any]]:
    """Return what the writer takes of a search whose trials end at a steady rate."""
    with scratch() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        about = SearchRecord(
            study_name="share", task="binary", target="y", scoring="roc_auc", space="linear",
            space_digest="0", n_rows=1_000, n_columns=20, n_folds=3, random_state=0,
        )  # fmt: skip
        tracker.start(about, {})
        params = {"model.linear.learning_rate": 0.01, "model.linear.l2": 0.0}
        one = record(TrialSpec(number=0, configuration={}, params=params, seed=0))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        busy, cpu, begin = tracker.seconds, time.process_time(), time.perf_counter()
        for number in range(n_trials):
            time.sleep(max(0.0, begin + number / a_second - time.perf_counter()))
            tracker.log_trial(one.model_copy(update={"number": number}))
        tracker.flush()
        wall = time.perf_counter() - begin
        busy, cpu = tracker.seconds - busy, time.process_time() - cpu
        tracker.close("finished")
    return [
        {
            "what": f"{n_trials / wall:.1f} trials a second",
            "writer_ms": 1e3 * busy / n_trials,
            "writer_percent": 100 * busy / wall,
            "cpu_ms": 1e3 * cpu / n_trials,
            "cpu_percent": 100 * cpu / wall / cores,
            "limit_percent": 5.0,
        }
    ]


def show(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print rows, if there are any, as a table of Markdown, or one object a line."""
    if not rows:
        return
    if as_json:
        for row in rows:
            print(json.dumps(row), flush=True)
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    print("| " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        cells = [row.get(name, "") for name in names]
        print(
            "| "
            + " | ".join(f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in cells)
            + " |"
        )
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one")
    parser.add_argument("--trials", type=int, default=GROWTH[-1], help="how far to grow")
    options = parser.parse_args()
    parts = options.part or PARTS
    if "trial" in parts:
        mine = ours(200, (200,), "none")[0]
        rows = [{"what": "automl", "reach_ms": REACH} | mine]
        rows += [peer(name) for name in PEER_TRIALS]
        show(rows, options.json)
    if "growth" in parts:
        rows = ours(options.trials, [mark for mark in GROWTH if mark <= options.trials])
        show(rows, options.json)
        show(grown(rows), options.json)
    if "share" in parts:
        show(share(), options.json)
    if "limit" in parts:
        show(limits(), options.json)


if __name__ == "__main__":
    main()
