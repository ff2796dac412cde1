"""Time of a proposal and of a pruning decision, by three ways of showing Optuna the study.

``python benchmarks/proposals.py`` prints milliseconds with ``--trials`` complete trials (250, the most that a sampler
is shown). All three use the same space, sampler (TPE, multivariate, grouped) and pruner (median).

``overlay``     the package: Optuna reads the study through `automl.study`'s overlay.
``public API``  a study in memory, made for each proposal by ``add_trials``; then ``ask``, ``prune``.
``plain ask``   Optuna alone: ``ask`` and ``should_prune`` on a study in memory that holds the trials already.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from automl.families import load_space
from automl.records import SearchRecord
from automl.study import Session, make_pruner, make_sampler

REACH = 10.0
RUNGS = (1, 2, 4, 8, 16)
SEARCH = SearchRecord(
    study_name="proposals", task="binary", target="y", scoring="roc_auc", space="linear", space_digest="0",
    n_rows=1_000, n_columns=20, n_folds=3, random_state=0,
)  # fmt: skip


def finished_trials(space: Any, n_trials: int) -> list[optuna.trial.FrozenTrial]:
    """Return complete trials with a learning curve, drawn at random from the space."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    trials = []
    for number in range(n_trials):
        trial = study.ask()
        configuration = space.suggest(trial)
        score = number * 7919 % 10_007 / 10_007
        made = create_trial(
            state=TrialState.COMPLETE,
            values=[score],
            params=trial.params,
            distributions=trial.distributions,
            intermediate_values={rung: score * (1 - 1 / (1 + rung)) for rung in RUNGS},
            user_attrs={"configuration": configuration},
        )
        made.number = number
        trials.append(made)
    return trials


def in_memory(trials: list[optuna.trial.FrozenTrial], sampler: Any = None) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=make_pruner("median"))
    study.add_trials(trials)
    return study


def milliseconds(call: Callable[[], Any], repeats: int) -> float:
    """Return the shortest time of a call; other processes then distort it least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def measured(space_name: str, n_trials: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return the time of a proposal and of a pruning decision for each way."""
    space = load_space(space_name)
    trials = finished_trials(space, n_trials)
    running = create_trial(
        state=TrialState.RUNNING, params=trials[0].params, distributions=trials[0].distributions,
        intermediate_values={1: 0.1},
    )  # fmt: skip
    running.number = n_trials
    study = in_memory(trials, make_sampler("tpe", 0))
    session = Session(study, space, SEARCH)
    session.propose(lambda leader: 1)  # the first proposal also reads the study

    def public_prune() -> None:
        shown = in_memory(trials)
        shown.pruner.prune(shown, running)

    plain = in_memory(trials, make_sampler("tpe", 0).inner)
    asked = plain.ask()
    asked.report(0.1, 1)
    leader = session.propose(lambda leader: 1)[0].number
    return {
        "overlay": (
            milliseconds(lambda: session.propose(lambda leader: 1), repeats),
            milliseconds(lambda: session.report(1, {leader: 0.1}), repeats),
        ),
        "public API": (
            milliseconds(lambda: space.suggest(in_memory(trials, make_sampler("tpe", 0)).ask()), repeats),
            milliseconds(public_prune, repeats),
        ),
        "plain ask": (
            milliseconds(lambda: space.suggest(plain.ask()), repeats),
            milliseconds(asked.should_prune, repeats),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--spaces", nargs="*", default=["linear", "tabular"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for space in options.spaces:
        rows = measured(space, options.trials, options.repeats)
        print(f"\n{space}, {options.trials} trials, milliseconds: propose, prune")
        for name, (propose, prune) in rows.items():
            print(f"  {name:12}{propose:8.1f}{prune:8.2f}")
        more = rows["public API"][0] - rows["overlay"][0]
        print(f"  public API - overlay: {more:+.1f} ms a proposal (limit {REACH:+.0f})")


if __name__ == "__main__":
    main()
