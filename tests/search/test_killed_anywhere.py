"""A search killed at any write to its study and resumed has the same result."""

import random

import pytest

from automl.families import load_space
from automl.records import Curve, SearchRecord, TrialRecord
from automl.search import Admission, Budget, Loop, Observers, SearchSpec
from automl.study import Session, create_study, load_study, make_pruner, make_sampler
from automl.study.optuna_private import journal_backend
from automl.tracking import NullProgress
from automl.workers import Finished, RungReached
from tests.support.scripted import ScriptedTracker, ScriptedWorkers

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {
                    "learning_rate": {"low": 1e-3, "high": 1, "log": True},
                    "l2": [0, {"low": 1e-5, "high": 0.1, "log": True}],
                    "max_epochs": [4, 8],
                },
                "decision_tree": {"max_depth": {"low": 1, "high": 6}, "criterion": ["gini", "entropy"]},
            }
        }
    },
    "forbid": [
        {"decision_tree.max_depth": {"above": 4}, "decision_tree.criterion": "gini"},
        {"linear.learning_rate": {"above": 0.3}, "linear.max_epochs": 8},
    ],
    "enqueue": [{"model": "linear", "linear.learning_rate": 0.1}],
}
SEARCH = SearchRecord(
    study_name="s", task="binary", target="y", scoring="roc_auc", space="test", space_digest="0",
    n_rows=100, n_columns=3, n_folds=3, random_state=7,
)  # fmt: skip
N_TRIALS = 32
KILLS_PER_CASE = 5


class SimulatedKill(BaseException):
    """Raised instead of SIGKILL."""


def score(proposal, rung):
    """Return the score at a rung: random, but fixed by configuration and seed."""
    chance = random.Random(f"{proposal.configuration} {proposal.seed}")
    return chance.random() + rung * chance.random() / 10


def fold_scores(proposal, score):
    """Return the scores of three folds with this mean."""
    spread = random.Random(f"folds {proposal.configuration} {proposal.seed}").uniform(-0.3, 0.3)
    return score - spread, score, score + spread


def train(cohort, chance):
    """Yield the events of a cohort without training."""
    if cohort.floor is not None:
        (proposal,) = cohort.trials
        first = fold_scores(proposal, score(proposal, 1))[0]
        if first < cohort.floor:
            curve = Curve(rungs=(1,), scores=(first,))
            raced = {"state": "pruned", "family": "decision_tree", "score": first, "curve": curve}
            folds = {"fold_scores": (first,), "folds_left": 2}
            yield Finished(cohort, [TrialRecord(**proposal.model_dump(), **raced, **folds)])
            return
    alive = {proposal.number: proposal for proposal in cohort.trials}
    curves, replies = {number: [] for number in alive}, []
    ends = {number: one.params.get("model.linear.max_epochs", 1) for number, one in alive.items()}
    records = {}
    for rung in (1, 2, 4, 8):
        while chance.random() < 0.3:
            yield None
        for number in alive:
            curves[number].append((rung, score(alive[number], rung)))
        yield RungReached(cohort, rung, {number: curves[number][-1][1] for number in alive}, replies.append)
        pruned = replies.pop()
        for number in list(alive):
            if number in pruned or rung == ends[number]:
                rungs, scores = zip(*curves[number], strict=True)
                proposal = alive.pop(number)
                records[number] = TrialRecord(
                    **proposal.model_dump(),
                    state="complete" if rung == ends[number] else "pruned",
                    family="linear",
                    score=scores[-1],
                    fold_scores=fold_scores(proposal, scores[-1]),
                    curve=Curve(rungs=rungs, scores=scores),
                )
        if not alive:
            break
    yield Finished(cohort, [records[proposal.number] for proposal in cohort.trials])


def search(journal, *, pruner, slots=1, seed=0, kill_at=None):
    """Search; stop after ``kill_at`` writes to the study. Return the number of writes."""
    study = create_study("s", journal, sampler=make_sampler(None, 7), pruner=make_pruner(pruner), resume=True)
    backend, writes = journal_backend(study), 0
    append = backend.append_logs

    def count(logs):
        nonlocal writes
        if writes == kill_at:
            raise SimulatedKill
        writes += 1
        append(logs)

    backend.append_logs = count
    chance = random.Random(seed)
    workers = ScriptedWorkers(
        lambda cohort: train(cohort, chance), slots, choose=lambda at_work: chance.choice(list(at_work))
    )
    session = Session(study, load_space(SPACE), SEARCH)
    spec = SearchSpec(facts=SEARCH, settings={"n_trials": N_TRIALS, "refit": False})
    tracker = ScriptedTracker()
    admission = Admission(spec, Budget(n_trials=N_TRIALS), workers, tracker)
    Loop(spec, session, workers, admission, Observers(tracker, NullProgress())).run()
    return writes


def outcome(journal):
    """Return the trials of a study without times."""
    trials = load_study("s", journal).trials
    for trial in trials:
        trial.user_attrs.get("record", {})["started"] = 0
    return [
        (
            one.number,
            one.params,
            one.state,
            one.value,
            one.intermediate_values,
            one.user_attrs,
            one.system_attrs,
        )
        for one in trials
    ]


def finishes(journal, **settings):
    """Search; return whether it ended before the kill."""
    try:
        search(journal, **settings)
    except SimulatedKill:
        return False
    return True


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("pruner", ["racing", "successive_halving"])
def test_resume_after_a_kill_at_any_write_has_the_same_result(tmp_path, pruner, slots):
    whole = tmp_path / "whole.journal"
    n_writes = search(whole, pruner=pruner)
    expected = outcome(whole)
    assert n_writes > 150
    # forbidden configurations fail
    assert {one[2].name for one in expected} == {"COMPLETE", "PRUNED", "FAIL"}
    records = [one[5]["record"] for one in expected if "record" in one[5]]
    raced = sum(record["folds_left"] > 0 for record in records)
    assert bool(raced) == (pruner == "racing")
    moments = sorted(random.Random(f"{pruner} {slots}").sample(range(n_writes), KILLS_PER_CASE))
    for i, kill_at in enumerate(moments):
        journal = tmp_path / f"{i}.journal"
        with pytest.raises(SimulatedKill):
            search(journal, pruner=pruner, slots=slots, seed=i, kill_at=kill_at)
        search(journal, pruner=pruner, slots=slots, seed=i + 1)
        assert outcome(journal) == expected, kill_at


@pytest.mark.parametrize("slots", [1, 2])
def test_resume_after_many_kills_has_the_same_result(tmp_path, slots):
    whole, journal = tmp_path / "whole.journal", tmp_path / "s.journal"
    search(whole, pruner="racing")
    chance, kills = random.Random(0), 0
    while not finishes(journal, pruner="racing", slots=slots, seed=kills, kill_at=chance.randrange(20)):
        kills += 1
    assert kills > 8
    assert outcome(journal) == outcome(whole)
