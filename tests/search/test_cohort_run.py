"""Retry and bisection of cohorts whose workers die."""

import random

import pytest

from automl.records import Curve
from automl.search import CohortRun
from automl.workers import (
    Cohort,
    Crashed,
    Killed,
    RungReached,
)
from tests.support.scripted import (
    EPOCHS,
    ScriptedSession,
    ScriptedWorkers,
    at_rung,
    finished,
    loop,
)
from tests.support.trials import TIMES


def broken_pipe(pruned):
    raise BrokenPipeError


def test_cohort_run_retries_once():
    attempts = []

    def script(cohort):
        attempts.append(cohort.id)
        if attempts.count(0) > 1 or cohort.id:
            yield from finished(cohort)
            return
        yield RungReached(cohort, 1, {0: 0.3, 1: 0.4}, broken_pipe)
        yield Crashed(cohort, "killed by SIGKILL")

    session = ScriptedSession()
    search = loop(ScriptedWorkers(script), session, n_trials=16)
    search.run()
    assert attempts == [0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert session.finished == list(range(16))
    assert {one.state for one in search.records} == {"complete"}


def deadly(*numbers, tried):
    """Return a script: workers die at rung 2 of cohorts with one of these trials."""

    def script(cohort):
        members = tuple(one.number for one in cohort.trials)
        tried.append(members)
        yield at_rung(cohort, 1)
        if set(numbers) & set(members):
            yield RungReached(cohort, 2, dict.fromkeys(members, 0.2), broken_pipe)
            yield Crashed(cohort, "killed by SIGKILL")
        else:
            yield at_rung(cohort, 2)
            yield from finished(cohort)

    return script


def test_cohort_run_bisects_a_crashing_cohort():
    tried = []
    session = ScriptedSession()
    search = loop(ScriptedWorkers(deadly(5, tried=tried)), session, timeout=100, n_trials=64)
    search.run()
    whole = tuple(range(8))
    assert tried[:7] == [whole, whole, (0, 1, 2, 3), (4, 5, 6, 7), (4, 5), (4,), (5,)]
    assert tried[7] == (6, 7)
    assert session.finished == list(range(64))
    assert [one.number for one in search.records if one.state != "complete"] == [5]
    failed = search.records[5]
    assert (failed.state, failed.score, failed.reason) == ("failed", None, "killed by SIGKILL")
    assert failed.curve == Curve(rungs=(1, 2), scores=(0.1, 0.2))
    reports = [(rung, tuple(scores)) for rung, scores, _ in session.reports if 5 in scores]
    assert reports == [(1, whole), (2, whole)]  # no second report of a rung


def test_cohort_run_retries_one_trial_once():
    tried = []
    search = loop(ScriptedWorkers(deadly(0, tried=tried)), ScriptedSession("decision_tree"), n_trials=2)
    search.run()
    assert tried == [(0,), (0,), (1,)]
    assert [one.state for one in search.records] == ["failed", "complete"]


def test_cohort_run_keeps_pruned_trials():
    def script(cohort):
        if cohort.id:
            yield from finished(cohort)
            return
        yield RungReached(cohort, 1, {one.number: 0.4 for one in cohort.trials}, broken_pipe)
        yield Crashed(cohort, "killed by SIGKILL")

    search = loop(ScriptedWorkers(script), ScriptedSession(prune={1}), n_trials=16)
    search.run()
    assert [one.state for one in search.records] == ["failed", "pruned"] + ["complete"] * 14
    assert search.records[1].reason == f"pruned at rung 1 of {EPOCHS}"
    assert search.records[1].score == 0.4
    assert search.records[1].curve.rungs == (1,)


@pytest.mark.parametrize("seed", range(3))
def test_cohort_run_ignores_worker_speed(seed):
    chance, found = random.Random(seed), []
    for slots in (1, 2):
        session = ScriptedSession(prune={9, 20})
        script = deadly(3, 17, 18, tried=[])
        workers = ScriptedWorkers(script, slots, choose=lambda at_work: chance.choice(list(at_work)))
        search = loop(workers, session, n_trials=45)
        search.run()
        assert workers.most == slots
        ends = [one.model_dump(exclude=TIMES) for one in search.records]
        found.append((session.log, sorted(map(repr, session.reports)), ends))
    assert found[0] == found[1]


def test_cohort_run_halves_at_the_memory_limit():
    tried = []

    def script(cohort):
        tried.append(len(cohort.trials))
        if len(cohort.trials) > 2 or cohort.trials[-1].number == 4:
            yield Killed(cohort, "memory_limit", "its worker had 3.0 GB of memory, and may have 2.0 GB", 9.0)
        else:
            yield from finished(cohort)

    search = loop(ScriptedWorkers(script), n_trials=40)
    search.run()
    assert tried[:7] == [5, 2, 3, 1, 2, 1, 1]
    assert [one.number for one in search.records if one.state == "failed"] == [4]
    assert search.records[4].reason == "its worker had 3.0 GB of memory, and may have 2.0 GB"
    assert [one.number for one in search.records] == list(range(40))


def test_cohort_run_prunes_at_trial_timeout():
    tried = []

    def script(cohort):
        tried.append(cohort.id)
        assert cohort.trial_timeout == 5
        yield at_rung(cohort, 1)
        yield Killed(cohort, "trial_timeout", "took longer than trial_timeout, 5 s", 50.0)

    search = loop(ScriptedWorkers(script), n_trials=16, trial_timeout=5)
    search.run()
    assert tried == list(range(8))
    assert {(one.state, one.score, one.seconds, one.reason) for one in search.records} == {
        ("pruned", 0.1, 25.0, "took longer than trial_timeout, 5 s")
    }


def test_cohort_run_with_costs_needs_the_worker():
    for measured, state in ((False, "complete"), (True, "stopped")):
        run = CohortRun(Cohort(0, (ScriptedSession().proposal(),)), measured=measured)
        run.start()
        run.report(EPOCHS, {0: 0.7}, lambda rung, scores: set())
        run.end("stopped", "the time was up")
        (ended,) = run.records
        assert (ended.state, ended.score) == (state, 0.7)


def test_cohort_run_of_folds_in_turn_reports_the_first_fold_until_the_last_rung():
    for rung, n_left in ((1, 2), (EPOCHS, 0)):
        for end in ("end", "end_part"):
            run = CohortRun(Cohort(0, (ScriptedSession().proposal(),), floor=0.5), n_folds=3)
            run.start()
            run.report(rung, {0: 0.7}, lambda rung, scores: set())
            run.end("stopped", "the time was up") if end == "end" else run.end_part("pruned", "too long", 1.0)
            (ended,) = run.records
            assert (ended.score, ended.folds_left) == (0.7, n_left)
            assert ended.early == (end == "end" and n_left > 0)
