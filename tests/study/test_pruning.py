"""Reports of scores and pruning decisions."""

import optuna
import pytest
from optuna.trial import TrialState

from automl.families import load_space
from automl.records import Curve
from automl.study import create_study, make_pruner, make_sampler
from automl.study.pruners import PRUNERS
from tests.support.sessions import ONE

LINEAR = {"space": {"model": {"linear": {"learning_rate": {"low": 1e-3, "high": 0.3}}}}}


def test_report_stores_scores_and_returns_pruned(make_session):
    class BelowHalf(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.intermediate_values[trial.last_step] < 0.5

    session = make_session(pruner=BelowHalf())
    a, b, c = (one.number for one in session.propose(lambda leader: 3))
    assert session.report(1, {a: 0.6, b: 0.4, c: 0.5}) == {b}
    assert session.report(2, {a: 0.1, c: 0.9}) == {a}
    assert session.report(1, {a: 0.6, c: 0.5}) == set()  # a retried cohort reports a rung again
    seen = [trial.intermediate_values for trial in session.study.trials]
    assert seen == [{1: 0.6, 2: 0.1}, {1: 0.4}, {1: 0.5, 2: 0.9}]


@pytest.mark.parametrize(("hide", "pruned"), [(False, True), (True, False)])
def test_pruner_ignores_hidden_trials(make_session, record, hide, pruned):
    session = make_session(LINEAR, pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    old = session.propose(lambda leader: 3)
    for one in old:
        session.report(1, {one.number: 0.9})
        session.tell(record(one, score=0.9))
    (new,) = session.propose(lambda leader: 1, sees=old[0].number if hide else None)
    assert session.report(1, {new.number: 0.2}) == ({new.number} if pruned else set())


def test_pruner_compares_cohort_mates(make_session):
    session = make_session(LINEAR, pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=0))
    cohort = [one.number for one in session.propose(lambda leader: 5)]
    scores = dict(zip(cohort, (0.5, 0.9, 0.1, 0.7, 0.3), strict=True))
    assert session.report(1, scores) == {cohort[2], cohort[4]}
    left = {number: scores[number] for number in (cohort[0], cohort[1], cohort[3])}
    assert session.report(2, left) == set()  # two others are too few for this pruner
    assert all(trial.state == TrialState.RUNNING for trial in session.study.trials)


@pytest.mark.parametrize(("before", "pruned"), [(0, [0, 1, 2, 3]), (5, [])])
def test_pruner_keeps_good_cohort_after_five_complete_trials(make_session, record, before, pruned):
    session = make_session(LINEAR, pruner="median")
    for _ in range(before):
        (one,) = session.propose(lambda leader: 1)
        session.report(1, {one.number: 0.5})
        session.tell(record(one, score=0.5))
    cohort = [one.number for one in session.propose(lambda leader: 8)]
    scores = {number: 0.91 + 0.01 * i for i, number in enumerate(cohort)}
    assert session.report(1, scores) == {cohort[i] for i in pruned}


def test_pruner_compares_within_family(make_session, record):
    session = make_session(pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))

    def cohort_of(family):
        while True:
            (one,) = session.propose(lambda leader: 1)
            if one.params["model"] == family:
                return one
            session.tell(record(one, "failed", None))

    good = cohort_of("linear")
    session.report(1, {good.number: 0.9})
    session.tell(record(good, score=0.9))
    other, same = cohort_of("mlp"), cohort_of("linear")
    assert session.report(1, {other.number: 0.2}) == set()
    assert session.report(1, {same.number: 0.2}) == {same.number}


@pytest.mark.parametrize("name", ["threshold:0.6" if name == "threshold" else name for name in PRUNERS])
@pytest.mark.parametrize("repeatable", [True, False])
def test_pruner_sees_results_of_the_schedule_only(journal, make_session, record, name, repeatable):
    """A cohort is reported with and without good results of later trials."""

    def judged(late_results):
        session = make_session(ONE, pruner=name)
        for i in range(6):
            for one in session.propose(lambda leader: 4):
                curve = [0.5 + i / 20 + rung / 100 for rung in range(4)]
                for rung, value in zip((1, 2, 4, 8), curve, strict=True):
                    session.report(rung, {one.number: value})
                session.tell(record(one, score=curve[-1], curve=Curve(rungs=(1, 2, 4, 8), scores=curve)))
        known = session.study.trials[-1].number + 1
        mine = session.propose(lambda leader: 6, known if repeatable else None)
        others = session.propose(lambda leader: 12, known if repeatable else None)
        for one in others if late_results else ():
            curve = [0.95 - rung / 100 for rung in range(4)]
            for rung, value in zip((1, 2, 4, 8), curve, strict=True):
                session.report(rung, {one.number: value})
            session.tell(record(one, score=curve[-1], curve=Curve(rungs=(1, 2, 4, 8), scores=curve)))
        pruned = []
        scores = {one.number: 0.55 + i / 20 for i, one in enumerate(mine)}
        for rung in (1, 2, 4, 8):
            scores = {number: value for number, value in scores.items() if number not in dict(pruned)}
            if scores:
                said = session.report(rung, {number: value - rung / 50 for number, value in scores.items()})
                pruned += [(number, rung) for number in sorted(said)]
        journal.unlink()
        return pruned

    alone, together = judged(False), judged(True)
    assert (alone != []) == (name != "none")
    blind = name.startswith(("none", "threshold"))
    assert (together == alone) == (repeatable or blind)


def test_hyperband_does_not_depend_on_study_name(tmp_path, record):
    from automl.study import Session
    from tests.support.studies import SEARCH

    pruned = []
    for name in ("morning", "evening"):
        study = create_study(
            name,
            tmp_path / f"{name}.journal",
            sampler=make_sampler("random", 0),
            pruner=make_pruner("hyperband"),
        )
        session = Session(study, load_space(ONE), SEARCH)
        said = []
        for i in range(12):
            cohort = session.propose(lambda leader: 4)
            alive = {one.number: (one.number * 7 + i) % 10 / 10 for one in cohort}
            for rung in (1, 3, 9, 27):
                if alive:
                    gone = session.report(rung, alive)
                    said += sorted((number, rung) for number in gone)
                    alive = {number: value for number, value in alive.items() if number not in gone}
            for one in cohort:
                session.tell(record(one, "complete" if one.number in alive else "pruned"))
        pruned.append(said)
    assert pruned[0] == pruned[1] != []
