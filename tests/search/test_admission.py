"""Cohort sizes by cost and memory."""

import pytest

from automl.families import FAMILIES
from automl.workers import (
    cohort_bytes,
)
from tests.support.scripted import (
    EPOCHS,
    Clock,
    ScriptedSession,
    ScriptedWorkers,
    finished,
    loop,
    record,
)


@pytest.mark.parametrize("timeout", [None, 1_300])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_cohort_size_with_n_trials_ignores_costs_and_timeout(family, timeout):
    found = []
    for seconds in (1e-3, 20):
        clock = Clock()

        def script(cohort, clock=clock, seconds=seconds):
            clock.now += seconds * len(cohort.trials)
            yield from finished(cohort, seconds)

        session = ScriptedSession(family)
        loop(ScriptedWorkers(script), session, clock=clock, timeout=timeout, n_trials=61).run()
        found.append([len(numbers) for numbers in session.proposed])
    assert clock.now == pytest.approx(20 * 61)  # near the timeout
    assert found == [[7] * 8 + [5]] * 2


@pytest.mark.parametrize(("prunes", "size"), [(False, 2), (True, 8)])
def test_cohort_size_grows_with_pruning(prunes, size):
    clock, session = Clock(), ScriptedSession()
    session.prunes = prunes
    decides = loop(ScriptedWorkers(finished), session, timeout=100, clock=clock).admission
    cost = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 2 * 100, 5)
    decides.costs.observe("linear", cost, 0.3 * decides.time_left / 2.5)
    assert decides.cohort_size(session.proposal(), prunes=prunes) == size


class SmallWorkers(ScriptedWorkers):
    has = float("inf")

    def memory_per_worker(self):
        return self.has


def test_cohort_size_fits_the_memory():
    mlps, shape = ScriptedSession("mlp"), (10**6, 20, 3)
    workers, whole = SmallWorkers(finished), ScriptedWorkers(finished)
    workers.has = sum(cohort_bytes(FAMILIES["mlp"], [{}] * k, *shape) for k in (1, 8)) / 2
    sizes = []
    for where in (workers, whole):
        session = ScriptedSession("mlp")
        loop(where, session, n_trials=64, shape=shape).run()
        sizes.append({len(numbers) for numbers in session.proposed})
    assert 1 < max(sizes[0]) < 8
    assert sizes[1] == {8}
    workers.has = 1e8
    search = loop(workers, mlps, n_trials=64, shape=shape)
    search.run()
    assert {one.state for one in search.records} == {"failed"}
    assert "memory_limit leaves 100 MB" in search.records[0].reason
    assert len(search.records) < 20  # no trial fits, so the search ends


def test_cohort_size_grows_with_shared_matrices():
    shape, sizes = (10**6, 20, 3), []
    for slots in (1, 2):
        workers, session = SmallWorkers(finished, slots), ScriptedSession("mlp")
        workers.has = sum(cohort_bytes(FAMILIES["mlp"], [{}] * k, *shape) for k in (1, 8)) / 2
        loop(workers, session, n_trials=64, shape=shape).run()
        sizes.append([len(numbers) for numbers in session.proposed])
    alone, beside = sizes
    assert alone[0] == alone[1] == beside[0] < beside[1] == 8


def test_first_trial_starts_although_the_time_is_up():
    clock, session = Clock(), ScriptedSession("quick_linear")
    search = loop(ScriptedWorkers(finished), session, timeout=5, clock=clock)
    clock.now = 6.0  # opening the stores took all of it
    search.run()
    assert [one.state for one in search.records] == ["complete"]


def test_first_trial_is_waited_for_if_it_is_quick():
    waited = []
    for family in ("quick_linear", "decision_tree"):
        clock = Clock()

        def endless(cohort, clock=clock):
            while True:
                clock.now += 1
                yield None

        loop(ScriptedWorkers(endless), ScriptedSession(family), timeout=10, clock=clock).run()
        waited.append(clock.now)
    assert waited[0] > 50
    assert waited[1] < 15


def test_a_guess_refuses_no_trial_that_may_be_in_time():
    clock = Clock()

    def long(cohort):
        clock.now += 1
        yield from finished(cohort, seconds=1)

    decides = loop(
        ScriptedWorkers(long), ScriptedSession("decision_tree"), timeout=100, clock=clock
    ).admission
    trial = ScriptedSession("decision_tree").proposal()
    decides.costs.trial_seconds = lambda trials: 500.0
    decides.admit([ScriptedSession("quick_linear").proposal()])
    assert decides.admit([trial]).waiting
    decides.costs.observe("decision_tree", 1.0, 500.0)
    assert decides.admit([trial]).ended


@pytest.mark.parametrize("limits", [{"timeout": 60}, {"n_trials": 4, "timeout": 60}])
def test_cost_of_a_first_trial_counts_only_where_time_decides(limits):
    decides = loop(ScriptedWorkers(finished), **limits).admission
    assert (decides.first_cost() is None) == ("n_trials" in limits)
    decides.admit([ScriptedSession().proposal()])
    assert decides.first_cost() is None


def test_fit_that_may_be_late_is_killable():
    decides = loop(ScriptedWorkers(finished), timeout=100, clock=Clock()).admission

    def killable(family, **params):
        trial = ScriptedSession(family).proposal()
        trial = trial.model_copy(update={"configuration": {"model": {family: params}}})
        return decides.admit([trial]).cohort.killable

    assert not killable("quick_linear")
    assert not killable("linear", max_epochs=10**9)  # it looks at the clock
    assert not killable("decision_tree")
    assert killable("hist_gradient_boosting", max_iter=10**9)
    assert killable("mine", estimator="sklearn.svm.SVC")
    decides.costs.observe("mine", 1e9, 0.1)
    assert not killable("mine", estimator="sklearn.svm.SVC")
    assert not loop(ScriptedWorkers(finished), n_trials=4).admission._may_be_late(
        ScriptedSession("decision_tree").proposal()
    )


@pytest.mark.parametrize(("folds", "refit"), [(1, 1.25), (3, 0.5), (5, 0.25)])
def test_cohort_leaves_time_to_train_its_own_best_on_all_rows(folds, refit):
    clock = Clock()
    decides = loop(
        ScriptedWorkers(finished), timeout=100, clock=clock, shape=(400, 5, folds), refit=True, ensemble=False
    ).admission
    decides.ended(record(ScriptedSession("quick_linear").proposal(), seconds=0.1))  # a refit of no time
    end = 100 - decides._end_seconds()
    seconds = decides._cohort_seconds([ScriptedSession("decision_tree").proposal()])
    assert seconds * (1 + refit) == pytest.approx(end, rel=0.01)
    decides.ended(record(ScriptedSession("decision_tree").proposal(), seconds=90 / refit, score=0.9))
    assert decides._cohort_seconds([ScriptedSession("decision_tree").proposal()]) < 10


@pytest.mark.parametrize(
    ("timeout", "columns", "waits"), [(5, 20, True), (20, 20, False), (20, 10_000, True)]
)
def test_others_wait_for_a_first_trial_that_they_would_make_late(timeout, columns, waits):
    session = ScriptedSession("quick_linear")
    decides = loop(
        ScriptedWorkers(finished),
        session,
        timeout=timeout,
        clock=Clock(),
        shape=(400, columns, 3),
        refit=True,
    ).admission
    assert not decides.must_wait()  # nothing runs
    run = decides.admit([session.proposal()])
    assert decides.must_wait() is waits
    decides.ended(record(session.proposal(), seconds=0.1))
    del decides.runs[run.cohort.id]
    assert not decides.must_wait()


def test_repeatable_search_never_waits():
    session = ScriptedSession("quick_linear")
    decides = loop(ScriptedWorkers(finished), session, timeout=5, n_trials=4, clock=Clock()).admission
    decides.admit([session.proposal()])
    assert not decides.must_wait()


def test_end_of_a_wide_table_has_more_time():
    spec = {"timeout": 50, "refit": True}
    narrow, wide = (
        loop(ScriptedWorkers(finished), clock=Clock(), shape=(400, n_columns, 3), **spec).admission
        for n_columns in (5, 5_005)
    )
    assert narrow.time_left - wide.time_left == pytest.approx(4)


def test_folds_are_trained_in_turn_by_trials_that_end_in_time():
    trial, alone = ScriptedSession("decision_tree").proposal(), ScriptedSession("linear").proposal()

    def floors(seconds, trial=trial, shape=(100, 5, 3), **limits):
        decides = loop(ScriptedWorkers(finished), clock=Clock(), shape=shape, **limits).admission
        if seconds:
            decides.costs.observe(trial.family, decides.costs.trial_seconds([trial]), 1.0)
            decides.costs.trial_seconds = lambda trials: seconds
        return decides.admit([trial], 0.5).cohort.floor

    assert floors(10.0, timeout=100) == 0.5
    assert floors(60.0, timeout=100) is None  # it may be cut short
    assert floors(None, timeout=100) is None  # its seconds are a guess
    assert floors(None, n_trials=10) == floors(60.0, n_trials=10) == 0.5  # time decides nothing
    assert floors(10.0, trial=alone, timeout=100) is None  # a cohort trains in lockstep
    assert floors(10.0, shape=(100, 5, 1), timeout=100) is None


@pytest.mark.parametrize(("left", "closes"), [(0.9, True), (1.1, False)])
def test_search_ends_with_the_first_trial_that_does_not_fit_into_its_last_second(left, closes):
    session, clock = ScriptedSession("decision_tree"), Clock()
    decides = loop(ScriptedWorkers(finished), session, timeout=50, clock=clock).admission
    decides.ended(record(session.proposal(), seconds=20.0))
    decides.costs.learn([record(session.proposal(), seconds=20.0)])
    clock.now = decides.time_left - left
    assert decides.admit([session.proposal()]).ended
    assert decides.may_propose(exhausted=False) != closes
