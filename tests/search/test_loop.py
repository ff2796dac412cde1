"""The search loop with scripted workers: which trials, in which order."""

import random

import pytest

from tests.support.scripted import (
    EPOCHS,
    Clock,
    ScriptedSession,
    ScriptedWorkers,
    at_rung,
    finished,
    loop,
)


@pytest.mark.parametrize("n_trials", [1, 7, 37, 100])
@pytest.mark.parametrize("slots", [1, 3])
def test_loop_runs_n_trials_exactly(n_trials, slots):
    session, workers = ScriptedSession(), ScriptedWorkers(finished, slots)
    search = loop(workers, session, n_trials=n_trials)
    search.run()
    assert sorted(session.finished) == list(range(n_trials))
    assert [one.number for one in search.records] == session.finished == search.tracker.written
    assert workers.most <= slots
    assert workers.closed == 1
    assert max(map(len, session.proposed)) == max(1, min(8, n_trials // 8))


def schedule(slots, seed, n_trials=45):
    session = ScriptedSession()
    chance = random.Random(seed)

    def script(cohort):
        for rung in (1, 2, EPOCHS):
            yield at_rung(cohort, rung)
        yield from finished(cohort)

    workers = ScriptedWorkers(script, slots, choose=lambda at_work: chance.choice(list(at_work)))
    search = loop(workers, session, n_trials=n_trials)
    search.run()
    return session, search


@pytest.mark.parametrize("seed", range(5))
def test_loop_with_n_trials_ignores_worker_speed(seed):
    alone, _ = schedule(slots=1, seed=0)
    together, search = schedule(slots=2, seed=seed)
    assert together.log == alone.log
    assert sorted(map(repr, together.reports)) == sorted(map(repr, alone.reports))
    assert [one.number for one in search.records] == list(range(45))


@pytest.mark.parametrize("slots", [3, 4])
def test_loop_of_more_workers_ignores_their_speed(slots):
    one, _ = schedule(slots, seed=0, n_trials=150)
    logs = []
    for seed in range(1, 5):
        other, search = schedule(slots, seed, n_trials=150)
        logs.append(other.log)
        assert sorted(map(repr, other.reports)) == sorted(map(repr, one.reports))
        assert [record.number for record in search.records] == list(range(150))
    assert logs == [one.log] * 4


def test_loop_reports_with_results_known_at_proposal():
    session, _ = schedule(slots=2, seed=1)
    known_at, finished_so_far = {}, []
    for call, numbers in session.log:
        if call == "tell":
            finished_so_far.append(numbers)
        else:
            known_at |= dict.fromkeys(numbers, tuple(finished_so_far))
    for _, scores, seen in session.reports:
        (before,) = {known_at[number] for number in scores}
        assert seen == {*before, *scores}
    assert known_at[10] == (0, 1, 2, 3, 4)  # cohorts of five: the last but one


def test_loop_with_timeout_tells_ready_cohorts_at_once():
    clock = Clock()

    def script(cohort):
        yield from [None] * 2  # training
        clock.now += 1
        yield at_rung(cohort, 1)
        yield from finished(cohort, seconds=1 / 8)

    session = ScriptedSession()
    workers = ScriptedWorkers(script, slots=2, choose=max)
    loop(workers, session, timeout=10, clock=clock).run()
    assert session.finished[:8] == list(range(8, 16))
    assert session.log[10] == ("propose", tuple(range(16, 24)))
    assert len(session.reports) > 5
    assert all(set(range(max(scores))) <= seen for _, scores, seen in session.reports)


@pytest.mark.parametrize(("slots", "ahead"), [(1, 2), (2, 2), (3, 6), (4, 8)])
def test_loop_with_n_trials_has_cohorts_ready_for_free_workers(slots, ahead):
    def script(cohort):
        if cohort.id == 0:
            yield from [None] * 60  # the first one is long: results of the others wait for it
        yield from finished(cohort)

    session = ScriptedSession("decision_tree")
    loop(ScriptedWorkers(script, slots, choose=max), session, n_trials=40).run()
    first_told = session.log.index(("tell", 0))
    assert [call for call, _ in session.log[:first_told]] == ["propose"] * ahead


def test_loop_submits_to_a_free_worker_before_it_tells():
    submitted = []

    class Workers(ScriptedWorkers):
        def submit(self, cohort):
            submitted.append((cohort.id, len(session.finished)))
            super().submit(cohort)

    def script(cohort):
        yield from [None] * 8
        yield from finished(cohort)

    session = ScriptedSession("decision_tree")
    loop(Workers(script, slots=4), session, n_trials=8).run()
    assert [n_told for _, n_told in submitted[:5]] == [0] * 5


def test_loop_replies_with_pruned_trials():
    replies = []

    def script(cohort):
        yield at_rung(cohort, 1, replies)
        yield from finished(cohort)

    session = ScriptedSession(prune={1})
    loop(ScriptedWorkers(script), session, n_trials=16).run()
    assert replies[0] == {1}
    assert set().union(*replies[1:]) == set()
    assert session.reports[0][:2] == (1, {0: 0.1, 1: 0.1})


@pytest.mark.parametrize("limits", [{"timeout": 60}, {"n_trials": 40}])
def test_loop_ends_with_an_exhausted_space(limits):
    session = ScriptedSession("decision_tree")
    session.exhausted = True
    search = loop(ScriptedWorkers(finished), session, **limits)
    search.run()
    assert search.records == []


def test_loop_closes_workers_after_an_error():
    class Broken(ScriptedSession):
        def tell(self, record):
            raise OSError("the disk is full")

    workers = ScriptedWorkers(finished)
    with pytest.raises(OSError, match="the disk is full"):
        loop(workers, Broken(), n_trials=3).run()
    assert workers.closed == 1


def test_loop_started_early_proposes_the_same():
    logs = []
    for early in (False, True):
        session, workers = ScriptedSession(), ScriptedWorkers(finished, slots=2, choose=max)
        search = loop(workers, session, n_trials=32)
        if early:
            search.start()
            assert workers.most == 2
            assert session.finished == []
        search.run()
        logs.append(session.log)
    assert logs[0] == logs[1]
