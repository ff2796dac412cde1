"""Compare searches on real tables, and print the tables of ``docs/benchmarks.md``.

::

    python benchmarks/search.py                                # tables that scikit-learn ships
    python benchmarks/search.py --data FOLDER --timeout 60     # adult, phoneme, segment, california_housing
    python benchmarks/search.py --part pruners --seeds 3 --json

``cohorts``  Gradient-descent families, multilayer perceptrons and linear models, with one job and equal time. Variants:
             one trial at a time; the same written by hand with the same core, without and with MLflow
             (``by_hand.py``); cohorts with the same core, sampler and pruner; cohorts without a pruner; random search,
             one trial at a time, without a pruner; and a lower bound: cohorts on a clock that counts only the matrix
             products of training, at the peak of the machine's BLAS.
             ``reach`` is the time to match the final score of one trial at a time, divided by the time that variant
             needed for it. ``reach 99`` asks for 99 % of its gain over the first score, because the last gain may be
             luck. ``reach optuna`` and ``reach both`` compare with the hand-written searches. ``of time`` is ``reach``
             as a share of the timeout. The last rows are medians over tables and seeds; the target for cohorts is at
             most one third. A score counts from the rung that reports it. ``trial ms`` is the time of a trial,
             ``training ms`` the core's share (for the lower bound too, on a real clock), ``products ms`` the time of
             its matrix products at the peak of one thread.
``pruners``  All pruners of Optuna except ``threshold``, whose setting depends on the table; the whole space, equal
             time: the mean rank over tables and seeds by the best score. It decides the default.
``jobs``     The whole space with one job and with two, equal time: number of trials and best score.
``history``  TPE with a bounded history, the project's default, and with all of it; equal numbers of trials: the best
             score after each quarter. A forest that was fitted on 400 trained configurations gives the scores. The
             bounded history must not search worse.
``sizes``    The cost of proposing several trials together: TPE proposes networks one by one (twice, with other seeds,
             to show the noise); eight at once, without each other's scores; and cohorts of 2, 4 and 8, which also
             share their structure. The best score after each quarter of the trials, a mean over seeds, and the factor
             of trials needed to match one by one after a quarter and after half of them. Scores as for ``history``.

Scores are validation scores; greater is better. A folder has an INDEX.csv with the columns name, file (parquet) and
target. Missing tables are left out.
"""

from __future__ import annotations

import argparse
import atexit
import itertools
import json
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import optuna
import pandas as pd
from by_hand import Steps, by_hand
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

import automl
from automl.descent import Training
from automl.families.descent import DescentFamily
from automl.records import SearchRecord, TrialRecord
from automl.search import CohortRun, make_plan
from automl.study import Session, create_study, make_pruner, make_sampler
from automl.tracking import Tracker

PARTS = ("cohorts", "pruners", "jobs", "history", "sizes")
WANTED = ("phoneme", "adult", "segment", "california_housing")
PRUNERS = ("median", "percentile", "successive_halving", "hyperband", "patient", "wilcoxon", "none")
SIZES: dict[str, dict[str, int]] = {
    "one by one": {},
    "one by one, other seeds": {"seed": 1_000},
    "eight at once": {"at_once": 8},
    "cohorts of 2": {"size": 2},
    "cohorts of 4": {"size": 4},
    "cohorts of 8": {"size": 8},
}
TRAINED = 400  # configurations that a surrogate is learned from
MOST_ROWS = 4_000  # of their table
LONGER = 20  # times that a search may take by another clock than its own
SPACE: dict[str, Any] = {
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust", "quantile"]}},
        "model": {
            "choice": {
                "linear": {
                    "optimizer": {
                        "choice": {"momentum": {"momentum": {"low": 0.5, "high": 0.99}}, "adam": {}}
                    },
                    "learning_rate": {"low": 1e-4, "high": 0.3, "log": True},
                    "l2": {"low": 1e-7, "high": 1, "log": True},
                    "batch_size": [32, 128, 512],
                    "max_epochs": 10,
                },
                "mlp": {
                    "hidden_layer_sizes": [[16], [32], [32, 16]],
                    "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
                    "schedule": {
                        "choice": {"constant": {}, "exponential": {"rate": {"low": 0.7, "high": 0.99}}}
                    },
                    "dropout": {"low": 0, "high": 0.5},
                    "l2": {"low": 1e-7, "high": 0.1, "log": True},
                    "max_epochs": 10,
                },
                "decision_tree": {
                    "max_depth": {"low": 2, "high": 20},
                    "min_samples_leaf": {"low": 1, "high": 100, "log": True},
                    "ccp_alpha": [0, {"low": 1e-5, "high": 1e-2, "log": True}],
                },
            }
        },
    }
}


def tables(folder: Path | None, only: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    if folder is None:
        for load in (load_breast_cancer, load_wine, load_digits, load_diabetes):
            X, y = load(return_X_y=True, as_frame=True)
            name = load.__name__.removeprefix("load_")
            if not only or name in only:
                yield name, X, y
        return
    index = pd.read_csv(folder / "INDEX.csv").set_index("name")
    for name in only or WANTED:
        if name not in index.index or not (folder / index.file[name]).is_file():
            print(f"{name}: not in {folder}, left out", file=sys.stderr)
            continue
        table = pd.read_parquet(folder / index.file[name])
        y = table.pop(index.target[name])
        yield name, table, y


@contextmanager
def one_at_a_time(wanted: bool) -> Iterator[None]:
    """Train every trial alone."""
    with mock.patch.object(DescentFamily, "max_cohort_size", return_value=1) if wanted else nullcontext():
        yield


@cache
def store() -> str:
    """Return MLflow's store of all searches; to make one takes longer than many a trial."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    uri = f"sqlite:///{folder.name}/mlflow.db"
    Tracker(uri).close("finished")
    return uri


@dataclass
class Found:
    """The best scores of a search and their times.

    ``training`` are the seconds of the core, ``products`` those of its matrix products at the machine's peak. With
    ``limit`` the clock counts ``products`` instead of ``training``.
    """

    limit: bool = False
    steps: Steps = field(default_factory=list)
    n_trials: int = 0
    training: float = 0.0
    products: float = 0.0

    def now(self) -> float:
        """Return the time by its clock."""
        return time.time() - (self.training - self.products if self.limit else 0.0)


def search(
    X: pd.DataFrame,
    y: pd.Series,
    *,
    timeout: float,
    alone: bool = False,
    hand: bool | None = None,
    limit: bool = False,
    **settings: Any,
) -> Found:
    """Search until the timeout in seconds.

    ``alone`` runs one trial at a time; ``hand`` uses the search written by hand, with MLflow if True; ``limit`` counts
    only the matrix products of training.
    """
    peak()  # measured before any clock runs
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        one_at_a_time(alone),
        noted(limit) as found,
    ):
        warnings.simplefilter("ignore")
        if hand is not None:
            space, seed = settings["space"], settings["random_state"]
            found.steps, found.n_trials = by_hand(
                X, y, Path(folder), tracked=hand, space=space, timeout=timeout, seed=seed
            )
            return found
        trials = (
            automl.Search(
                refit=False,
                progress=False,
                storage=Path(folder) / "study.journal",
                tracking_uri=store(),
                timeout=LONGER * timeout if limit else timeout,
                callbacks=[TimeUp(found, found.now() + timeout)] if limit else None,
                **{"n_jobs": 1, **settings},
            )
            .fit(X, y)
            .study_.trials
        )
    start = min(trial.datetime_start for trial in trials).timestamp()
    found.steps = [(when - start, score) for when, score in found.steps if when - start <= timeout]
    found.n_trials = len(trials)
    return found


@dataclass
class TimeUp:
    """End a search by its own clock."""

    found: Found
    end: float

    def on_trial(self, record: TrialRecord, search: automl.Search) -> None:
        if self.found.now() > self.end:
            search.stop()


@cache
def peak() -> float:
    """Return the multiplications and additions in a second of the machine's BLAS, with one thread, in float32."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    spans = []
    with threadpool_limits(1):
        for _ in range(20):
            began = time.perf_counter()
            a @ a
            spans.append(time.perf_counter() - began)
    return float(2 * 1024**3 / min(spans))


def products(training: Training, epochs: float) -> float:
    """Return the number of multiplications and additions of a cohort's matrix products.

    A layer's are its outputs, the gradient of its weights, and that of its inputs where these are units.
    """
    network, hidden = training._model, training.architecture.hidden_layer_sizes
    widths = [network.d, *hidden, network.c]
    layers = [
        2 * (2 * (n + 1) * m + (n * m if i else 0)) for i, (n, m) in enumerate(itertools.pairwise(widths))
    ]
    return float(sum(layers) * training._rows.n * epochs * len(training.trials))


@contextmanager
def noted(limit: bool) -> Iterator[Found]:
    """Record the best score at every report, of trials that were not pruned; and the time in training."""
    found = Found(limit)
    scores: dict[int, float] = {}
    report, advance = CohortRun.report, Training.advance

    def advancing(self: Training, *to: Any) -> None:
        began, epochs = time.perf_counter(), self.epoch + self.part
        try:
            advance(self, *to)
        finally:
            found.training += time.perf_counter() - began
            found.products += products(self, self.epoch + self.part - epochs) / peak()

    def reporting(self: CohortRun, rung: int, reported: dict[int, float], prune: Any) -> set[int]:
        pruned = report(self, rung, reported, prune)
        scores.update(reported)
        found.steps.append((found.now(), max(scores.values())))
        for number in pruned:
            del scores[number]
        return pruned

    with (
        mock.patch.object(CohortRun, "report", reporting),
        mock.patch.object(Training, "advance", advancing),
    ):
        yield found


def at(steps: Steps, seconds: float) -> float:
    """Return the best score at a time; the first there ever is, before."""
    return [score for when, score in steps if when <= seconds or score == steps[0][1]][-1]


def until(steps: Steps, score: float) -> float:
    """Return when a score was reached; never is infinite."""
    return next((when for when, found in steps if found >= score), float("inf"))


def cohorts(
    data: Any, timeout: float, seeds: Sequence[int], spaces: Sequence[str]
) -> Iterator[dict[str, Any]]:
    ways: dict[str, dict[str, Any]] = {
        "one at a time": {"alone": True},
        "Optuna by hand": {"hand": False},
        "Optuna and MLflow by hand": {"hand": True},
        "cohorts": {},
        "cohorts, no pruning": {"pruner": "none"},
        "random, one at a time": {"alone": True, "sampler": "random", "pruner": "none"},
        "cohorts, products alone": {"limit": True},
    }
    goals = {
        "one at a time": "reach",
        "Optuna by hand": "reach_optuna",
        "Optuna and MLflow by hand": "reach_both",
    }
    reached: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for space, (name, X, y), seed in product(spaces, data, seeds):
        settings = {"space": space, "timeout": timeout, "random_state": seed}
        found = {way: search(X, y, **{**settings, **special}) for way, special in ways.items()}
        targets = {goal: found[way].steps[-1][1] for way, goal in goals.items()}
        (_, first), *_ = found["one at a time"].steps
        targets["reach_99"] = first + 0.99 * (targets["reach"] - first)
        took = {goal: until(found[way].steps, targets[goal]) for way, goal in goals.items()}
        took["reach_99"] = until(found["one at a time"].steps, targets["reach_99"])
        for way, one in found.items():
            reach = {goal: until(one.steps, target) / took[goal] for goal, target in targets.items()}
            reach["of_time"] = until(one.steps, targets["reach"]) / timeout
            reached[space, way].append(reach)
            yield {
                "space": space,
                "table": name,
                "seed": seed,
                "way": way,
                "trials": one.n_trials,
                "trial_ms": round(1e3 * timeout / one.n_trials),
                "training_ms": round(1e3 * one.training / one.n_trials),
                "products_ms": round(1e3 * one.products / one.n_trials),
                "a_quarter": at(one.steps, timeout / 4),
                "half": at(one.steps, timeout / 2),
                "end": one.steps[-1][1],
                **reach,
            }
    for space, way in product([*spaces, "all"], ways):
        shares = [
            reach
            for (of, by), found_by in reached.items()
            if by == way and space in (of, "all")
            for reach in found_by
        ]
        yield {
            "space": space,
            "table": "median",
            "seed": len(shares),
            "way": way,
            **{goal: statistics.median(share[goal] for share in shares) for goal in shares[0]},
        }


def pruners(data: Any, timeout: float, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    ranks: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(list)
    for name, X, y in data:
        for seed in seeds:
            ends = {}
            for pruner in PRUNERS:
                found = search(X, y, timeout=timeout, random_state=seed, pruner=pruner)
                ends[pruner] = found.steps[-1][1]
                counts[pruner].append(found.n_trials)
            for pruner, rank in pd.Series(ends).rank(ascending=False).items():
                ranks[str(pruner)].append(rank)
            yield {"table": name, "seed": seed, **ends}
    for pruner, found in sorted(ranks.items(), key=lambda item: statistics.mean(item[1])):
        yield {
            "pruner": pruner,
            "mean_rank": statistics.mean(found),
            "searches": len(found),
            "trials": statistics.median(counts[pruner]),
        }


def jobs(data: Any, timeout: float, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    for (name, X, y), seed, n_jobs in product(data, seeds, (1, 2)):
        found = search(X, y, timeout=timeout, random_state=seed, n_jobs=n_jobs)
        yield {
            "table": name,
            "values": X.size,
            "seed": seed,
            "jobs": n_jobs,
            "trials": found.n_trials,
            "half": at(found.steps, timeout / 2),
            "end": found.steps[-1][1],
        }


def history(data: Any, n_trials: int, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    won: list[list[float]] = []
    for name, X, y in data:
        space, score = surrogate(X, y, SPACE)
        for seed in seeds:
            scores = {}
            for way in ("part", "whole"):
                best = np.maximum.accumulate(proposed(space, score, n_trials, seed, whole=way == "whole"))
                scores[way] = [float(best[n_trials * part // 4 - 1]) for part in (1, 2, 3, 4)]
                yield {
                    "table": name, "seed": seed, "history": way,
                    **{f"after_{n_trials * part // 4}": scores[way][part - 1] for part in (1, 2, 3, 4)},
                }  # fmt: skip
            won.append([float(np.sign(a - b)) for a, b in zip(scores["part"], scores["whole"], strict=True)])
    for what, sign in (("part better", 1), ("whole better", -1)):
        counts = np.sum(np.array(won) == sign, axis=0)
        yield {
            "table": "searches", "seed": len(won), "history": what,
            **{f"after_{n_trials * part // 4}": int(counts[part - 1]) for part in (1, 2, 3, 4)},
        }  # fmt: skip


def sizes(data: Any, n_trials: int, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    quarters = [n_trials * part // 4 for part in (1, 2, 3, 4)]
    for name, X, y in data:
        space, score = surrogate(X, y, "mlp")
        goals: list[float] = []
        for way, special in SIZES.items():
            settings = {"size": 1, **special}
            first = settings.pop("seed", 0)
            found = [proposed(space, score, n_trials, first + seed, **settings) for seed in seeds]
            best = np.maximum.accumulate(found, axis=1).mean(axis=0).tolist()
            goals = goals or [best[n - 1] for n in quarters[:2]]
            needed = [until(list(enumerate(best, start=1)), goal) for goal in goals]
            yield {
                "table": name, "searches": len(found), "way": way,
                **{f"after_{n}": best[n - 1] for n in quarters},
                "times_a_quarter": needed[0] / quarters[0], "times_half": needed[1] / quarters[1],
            }  # fmt: skip


def surrogate(X: pd.DataFrame, y: pd.Series, wanted: Any) -> tuple[Any, Any]:
    """Return a space, and what a forest thinks of its configurations, which has seen some trained on a table."""
    X, y = X.iloc[:MOST_ROWS], y.iloc[:MOST_ROWS]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = automl.Search(
            wanted, n_jobs=1, refit=False, progress=False, timeout=None, n_trials=TRAINED, sampler="random",
            pruner="none", storage=Path(folder) / "study.journal",
            tracking_uri=store(),
        ).fit(X, y)  # fmt: skip
        records = [
            trial.user_attrs["record"] for trial in found.study_.trials if "record" in trial.user_attrs
        ]
    records = [one for one in records if one["score"] is not None]
    forest = make_pipeline(
        DictVectorizer(sparse=False), ExtraTreesRegressor(100, min_samples_leaf=2, random_state=0)
    )
    forest.fit([plain(one["params"]) for one in records], [one["score"] for one in records])

    def score(configurations: list[dict[str, Any]]) -> list[float]:
        return [float(value) for value in forest.predict([plain(one) for one in configurations])]

    plan = make_plan(X, y, space=wanted, scoring=None, cv=None, groups=None, random_state=0)
    return plan.space, score


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as numbers on the scale they are searched on, and texts."""
    logs = ("learning_rate", "l2", "min_samples_leaf", "ccp_alpha")
    return {
        name: math.log(value + 1e-9)
        if name.endswith(logs)
        else value
        if isinstance(value, int | float)
        else str(value)
        for name, value in params.items()
    }


def proposed(
    space: Any,
    score: Any,
    n_trials: int,
    seed: int,
    *,
    whole: bool = False,
    size: int = 4,
    at_once: int = 1,
) -> list[float]:
    """Return the scores of TPE's proposals; TPE sees the scores of ``at_once`` cohorts together."""
    about = SearchRecord(
        study_name="s", task="binary", target="y", scoring="s", space="s", space_digest="0",
        n_rows=1, n_columns=1, n_folds=1, random_state=seed,
    )  # fmt: skip
    sampler: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if whole:
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
    study = create_study(
        "s",
        optuna.storages.InMemoryStorage(),
        sampler=make_sampler(sampler, seed),
        pruner=make_pruner("none"),
    )
    session = Session(study, space, about)
    scores: list[float] = []
    while len(scores) < n_trials:
        asked = [one for _ in range(at_once) for one in session.propose(lambda leader: size)]
        for proposal, said in zip(asked, score([one.params for one in asked]), strict=True):
            ((family, _),) = proposal.configuration["model"].items()
            session.tell(TrialRecord(**proposal.model_dump(), state="complete", family=family, score=said))
            scores.append(said)
    return scores[:n_trials]


def show(rows: Iterator[dict[str, Any]], as_json: bool) -> None:
    """Print rows as tables of Markdown, a new one where the columns change, or one object a line."""
    columns: list[str] = []
    for row in rows:
        if as_json:
            print(json.dumps(row), flush=True)
            continue
        if not set(row) <= set(columns):
            columns = list(row)
            print("\n| " + " | ".join(column.replace("_", " ") for column in columns) + " |")
            print("|" + "---|" * len(columns))
        cells = [row.get(column, "") for column in columns]
        print(
            "| "
            + " | ".join(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
            + " |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a folder of tables with an INDEX.csv")
    parser.add_argument("--only", nargs="*", default=[], help="names of tables")
    parser.add_argument("--timeout", type=float, default=60, help="seconds a search")
    parser.add_argument("--spaces", nargs="*", default=["mlp", "linear"], help="spaces, for `cohorts`")
    parser.add_argument(
        "--trials", type=int, default=1_000, help="trials a search, for `history` and `sizes`"
    )
    parser.add_argument("--seeds", type=int, default=2, help="searches of each kind")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if options.data is not None and not (options.data / "INDEX.csv").is_file():
        print(f"no INDEX.csv in {options.data}: taking the tables of scikit-learn", file=sys.stderr)
        options.data = None
    data = list(tables(options.data, options.only))
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for part in options.part or PARTS:
        if part == "cohorts":
            show(cohorts(data, options.timeout, seeds, options.spaces), options.json)
        elif part in ("pruners", "jobs"):
            show({"pruners": pruners, "jobs": jobs}[part](data, options.timeout, seeds), options.json)
        else:
            propose = history if part == "history" else sizes
            show(propose(data, options.trials, seeds), options.json)


if __name__ == "__main__":
    main()
