"""The loop with scripted workers and a scripted clock; and, at the end, with real ones."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from itertools import count

import numpy as np
import pandas as pd
import pytest

from automl.families import FAMILIES, Problem, load_space
from automl.metrics import objectives_for
from automl.records import Curve, SearchRecord
from automl.search import Admission, Budget, CohortRun, Loop, Observers, SearchSpec
from automl.study import Session, create_study, make_pruner, make_sampler
from automl.table import TypedColumns, make_folds
from automl.tracking import NullProgress
from automl.workers import (
    Cohort,
    Crashed,
    Finished,
    Killed,
    RungReached,
    WorkerContext,
    cohort_bytes,
    open_workers,
)
from tests.support.scripted import (
    EPOCHS,
    Clock,
    ScriptedSession,
    ScriptedTracker,
    ScriptedWorkers,
    at_rung,
    finished,
    loop,
    record,
)

# How much


@pytest.mark.parametrize("n_trials", [1, 7, 37, 100])
@pytest.mark.parametrize("slots", [1, 3])
def test_n_trials_are_kept_exactly(n_trials, slots):
    session, workers = ScriptedSession(), ScriptedWorkers(finished, slots)
    search = loop(workers, session, n_trials=n_trials)
    search.run()
    assert sorted(session.told) == list(range(n_trials))
    assert [one.number for one in search.records] == session.told == search.tracker.written
    assert workers.most <= slots
    assert workers.closed == 1
    assert max(map(len, session.proposed)) == max(1, min(8, n_trials // 8))


@pytest.mark.parametrize("timeout", [None, 1_300])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_with_a_number_of_trials_cohorts_are_as_large_whatever_training_costs_and_the_time_limit_says(
    family, timeout
):
    found = []
    for seconds in (1e-3, 20):
        clock = Clock()

        def script(cohort, clock=clock, seconds=seconds):
            clock.now += seconds * len(cohort.trials)
            yield from finished(cohort, seconds)

        session = ScriptedSession(family)
        loop(ScriptedWorkers(script), session, clock=clock, timeout=timeout, n_trials=61).run()
        found.append([len(numbers) for numbers in session.proposed])
    assert clock.now == pytest.approx(20 * 61)  # little is left of the time
    assert found == [[7] * 8 + [5]] * 2


def test_no_cohort_is_proposed_once_the_time_is_up():
    clock = Clock()

    def eighth_of_a_second_each(cohort):
        clock.now += len(cohort.trials) / 8
        yield from finished(cohort, seconds=1 / 8)

    session = ScriptedSession()
    search = loop(ScriptedWorkers(eighth_of_a_second_each), session, timeout=10, clock=clock)
    search.run()
    assert 9 < clock.now <= 10
    assert len(search.records) == len(session.told)
    sizes = [len(numbers) for numbers in session.proposed]
    assert sizes[0] == 8
    assert sizes == sorted(sizes, reverse=True)  # a cohort takes a part of the time that is left
    assert sizes[-1] < 3


class SlowTracker(ScriptedTracker):
    """Writes one run after the other, by the clock, which goes on while it is asked how far it has come."""

    def __init__(self, clock, seconds, asking=0.0):
        super().__init__()
        self.clock, self.seconds, self.asking, self.done = clock, seconds, asking, 0.0

    def log_trial(self, record):
        super().log_trial(record)
        self.done = max(self.done, self.clock.now) + self.seconds

    def backlog(self, more=0):
        self.clock.now += self.asking
        return max(0.0, self.done - self.clock.now) + self.seconds * more


@pytest.mark.parametrize("asking", [0, 0.03])
def test_where_writing_takes_longer_than_training_proposing_waits_for_it_instead_of_ending_early(asking):
    clock, asked = Clock(), []

    def quick(cohort):
        asked.append(clock.now)
        clock.now += 0.01 * len(cohort.trials)
        yield from finished(cohort, seconds=0.01)

    class Waiting(ScriptedWorkers):
        def next(self, timeout=None):
            clock.now += 0 if self.at_work else timeout
            return super().next(timeout)

    tracker = SlowTracker(clock, seconds=0.1, asking=asking)
    search = loop(Waiting(quick), timeout=60, clock=clock, tracker=tracker)
    search.run()
    assert 500 < len(search.records) <= 600
    assert asked[-1] > 55
    assert 55 < search.tracker.done < 61
    assert all(later - sooner < 8 for sooner, later in zip(asked, asked[1:], strict=False))


def test_with_a_number_of_trials_nothing_depends_on_how_fast_runs_are_written():
    logs = []
    for seconds in (0, 3):
        clock, session = Clock(), ScriptedSession()
        tracker = SlowTracker(clock, seconds)
        search = loop(
            ScriptedWorkers(finished, slots=2),
            session,
            clock=clock,
            tracker=tracker,
            timeout=600,
            n_trials=61,
        )
        search.run()
        logs.append(session.log)
    assert search.tracker.done == 183
    assert logs[0] == logs[1]


def test_time_is_left_to_refit_the_winner():
    ends = []
    for refit in (False, True):
        clock = Clock()

        def slow(cohort, clock=clock):
            clock.now += 1
            yield from finished(cohort)

        loop(ScriptedWorkers(slow), timeout=60, clock=clock, refit=refit).run()
        ends.append(clock.now)
    assert ends[0] == 60
    assert ends[1] < 59


@pytest.mark.parametrize(("family", "part"), [("linear", 1 / (1 + 3 / 8)), ("decision_tree", 1 / 2)])
def test_the_first_cohort_leaves_time_to_refit_one_of_it(family, part):
    given = []

    def endless(cohort):
        given.append((len(cohort.trials), cohort.deadline - time.time()))
        yield from finished(cohort)

    search = loop(ScriptedWorkers(endless), ScriptedSession(family), timeout=600, n_trials=64, refit=True)
    search.run()
    (n, first), *_, (_, last) = given
    assert n == FAMILIES[family].max_cohort_size({}, 3)
    assert first == pytest.approx(part * 598, rel=0.01)
    assert last > 590


def test_where_everything_takes_longer_more_time_is_left_for_the_end():
    ends = []
    for slowness in (1, 4):
        clock = Clock()

        def brief(cohort, clock=clock):
            clock.now += 0.1
            yield from finished(cohort, seconds=0.01)

        loop(ScriptedWorkers(brief), timeout=60, clock=clock, refit=True, slowness=slowness).run()
        ends.append(clock.now)
    assert 4 < ends[0] - ends[1] < 5


def test_a_fit_that_cannot_be_stopped_does_not_start_in_vain():
    clock = Clock()

    def slow(cohort):
        clock.now += 20
        yield Finished(cohort, [record(proposal, seconds=20) for proposal in cohort.trials])

    session = ScriptedSession("decision_tree")
    search = loop(ScriptedWorkers(slow), session, timeout=30, clock=clock)
    search.run()
    first, *others = search.records
    assert first.state == "complete"
    assert {(one.state, one.score, one.reason) for one in others} == {
        ("stopped", None, "not started: about 20 s to train, 10 s left")
    }
    assert 5 < len(others) < 15
    assert clock.now == 20


# In which order


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
def test_with_a_number_of_trials_nothing_depends_on_who_is_faster(seed):
    alone, _ = schedule(slots=1, seed=0)
    together, search = schedule(slots=2, seed=seed)
    assert together.log == alone.log
    assert sorted(map(repr, together.judged)) == sorted(map(repr, alone.judged))
    assert [one.number for one in search.records] == list(range(45))


def test_a_cohort_is_judged_by_what_was_told_when_it_was_proposed():
    session, _ = schedule(slots=2, seed=1)
    told_before, told = {}, []
    for what, numbers in session.log:
        if what == "tell":
            told.append(numbers)
        else:
            told_before |= dict.fromkeys(numbers, tuple(told))
    for _, scores, seen in session.judged:
        (before,) = {told_before[number] for number in scores}
        assert seen == {*before, *scores}
    assert told_before[10] == (0, 1, 2, 3, 4)  # five a cohort: the one two before


def test_with_a_time_limit_alone_what_is_ready_is_told_at_once_and_nothing_is_hidden():
    clock = Clock()

    def script(cohort):
        clock.now += 1
        yield at_rung(cohort, 1)
        yield from finished(cohort, seconds=1 / 8)

    session = ScriptedSession()
    workers = ScriptedWorkers(script, slots=2, choose=max)
    loop(workers, session, timeout=10, clock=clock).run()
    assert session.told[:8] == list(range(8, 16))
    assert session.log[10] == ("propose", tuple(range(16, 24)))
    assert len(session.judged) > 5
    assert all(set(range(max(scores))) <= seen for _, scores, seen in session.judged)


def test_nobody_is_pruned_before_what_the_space_grants():
    asked, told = [], []

    def script(cohort):
        for rung in (1, 4, 8, 12, 16):
            asked.append(rung)
            yield at_rung(cohort, rung, told)
        yield from finished(cohort)

    session = ScriptedSession(prune={0})
    fidelity = {"model.mlp.max_epochs": (1, EPOCHS), "model.linear.max_epochs": (3, EPOCHS)}
    loop(ScriptedWorkers(script), session, n_trials=1, epoch_steps=4, fidelity=fidelity).run()
    assert dict(zip(asked, told, strict=True)) == {1: set(), 4: set(), 8: set(), 12: {0}, 16: {0}}
    assert [rung for rung, *_ in session.judged] == [1, 4, 8, 12, 16]  # all are kept in the study


def test_nobody_is_pruned_before_scores_tell_how_the_training_will_end():
    told: list[set[int]] = []

    def script(cohort):
        for rung in (4, 8, 16):
            yield at_rung(cohort, rung, told)
        yield from finished(cohort)

    for family in ("linear", "decision_tree"):
        session = ScriptedSession(family, prune={0})
        loop(ScriptedWorkers(script), session, n_trials=1, shape=(9_000, 5, 3), epoch_steps=16).run()
    # an eighth of the training's 64 steps is 8; what has no epochs has no end
    assert told == [set(), {0}, {0}, {0}, {0}, {0}]
    linear = FAMILIES["linear"]
    assert linear.min_resource({"max_epochs": 80}, 1, 6_000) == 10
    # 300,000 rows pass sooner
    assert linear.min_resource({"max_epochs": 80}, 1, 100_000) == 3
    assert linear.min_resource({"max_epochs": 80}, 16, 100_000) == 3 * 16


@pytest.mark.parametrize(("prunes", "size"), [(False, 2), (True, 8)])
def test_more_trials_share_a_cohort_where_the_worse_of_them_will_be_pruned(prunes, size):
    clock, session = Clock(), ScriptedSession()
    session.prunes = prunes
    decides = loop(ScriptedWorkers(finished), session, timeout=100, clock=clock).admission
    cost = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 2 * 100, 5)
    decides.costs.observe("linear", cost, 0.3 * decides.time_left / 2.5)
    assert decides.cohort_size(session.proposal(), prunes=prunes) == size


def test_the_cohort_is_told_what_the_judge_says():
    replies = []

    def script(cohort):
        yield at_rung(cohort, 1, replies)
        yield from finished(cohort)

    session = ScriptedSession(prune={1})
    loop(ScriptedWorkers(script), session, n_trials=16).run()
    assert replies[0] == {1}
    assert set().union(*replies[1:]) == set()
    assert session.judged[0][:2] == (1, {0: 0.1, 1: 0.1})


def test_equal_configurations_train_once_and_are_told_what_is_known():
    trained = []

    def script(cohort):
        trained.extend(one.number for one in cohort.trials)
        yield from finished(cohort)

    session = ScriptedSession()
    session.duplicates = {3: 2, 9: 2, 4: 3, **dict.fromkeys(range(12, 16), 11)}
    session.duplicates[4] = 2
    search = loop(ScriptedWorkers(script), session, n_trials=32)
    search.run()
    assert trained == [number for number in range(32) if number not in session.duplicates]
    assert sorted(session.told) == list(range(32))
    assert session.told[:5] == [0, 1, 2, 3, 4]  # waiting for the trial at work, and told with it
    assert search.tracker.written == session.told
    known = {one.number: one for one in search.records}
    for number, first in session.duplicates.items():
        assert known[number].reason == f"same configuration as trial {first}"
        same = ("state", "score", "curve", "seed", "family")
        assert all(getattr(known[number], name) == getattr(known[first], name) for name in same)
        assert known[number].seconds == 0
    again = ScriptedSession()
    again.duplicates = session.duplicates
    loop(ScriptedWorkers(finished, slots=2, choose=max), again, n_trials=32).run()
    assert again.log == session.log


@pytest.mark.parametrize("limits", [{"timeout": 60}, {"n_trials": 40}])
def test_when_nothing_new_is_left_only_a_number_of_trials_goes_on(limits):
    session = ScriptedSession("decision_tree")
    session.exhausted = True
    search = loop(ScriptedWorkers(finished), session, **limits)
    search.run()
    assert len(search.records) == limits.get("n_trials", 0)


# Who is told, and who ends it


def best_at(number):
    def script(cohort):
        scores = {one.number: 0.9 if one.number == number else 0.5 for one in cohort.trials}
        yield Finished(cohort, [record(one, score=scores[one.number]) for one in cohort.trials])

    return script


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slots", [1, 2])
def test_patience_ends_the_search_some_trials_after_the_best_one(slots, seed):
    chance = random.Random(seed)
    session = ScriptedSession()
    workers = ScriptedWorkers(best_at(12), slots, choose=lambda at_work: chance.choice(list(at_work)))
    search = loop(workers, session, n_trials=100, patience=20)
    search.run()
    # Eight a cohort: the 20th after it is told with the fifth cohort, when the sixth is proposed.
    assert [one.number for one in search.records] == list(range(48))


def test_patience_counts_the_trials_that_were_known():
    known = [record(ScriptedSession().proposal().model_copy(update={"number": i})) for i in range(30)]
    for patience, more in ((30, 8), (29, 0)):
        session = ScriptedSession()
        session.numbers = count(30)
        search = loop(ScriptedWorkers(finished), session, n_trials=100, known=known, patience=patience)
        search.run()
        assert len(search.records) <= 30 + 2 * more
        assert (len(search.records) > 30) == bool(more)


def test_callbacks_are_told_of_every_trial_in_order_and_may_end_the_search():
    told, session = [], ScriptedSession()
    session.duplicates = {3: 2}

    def callback(record):
        assert record.number == session.told[-1]
        told.append(record.number)
        if record.number == 20:
            search.stop()

    search = loop(ScriptedWorkers(finished, slots=2), session, n_trials=80, callbacks=[callback])
    search.run()
    assert told == session.told == list(range(32))  # what was proposed is finished
    assert {one.state for one in search.records} == {"complete"}


def test_a_callback_that_raises_ends_the_search_and_all_is_told():
    told = []

    def callback(record):
        told.append(record.number)
        if record.number == 9:
            raise ZeroDivisionError("mine")

    def script(cohort):
        if cohort.id > 1:
            yield None  # it trains still
        yield from finished(cohort)

    session = ScriptedSession()
    workers = ScriptedWorkers(script, slots=2)
    search = loop(workers, session, n_trials=80, callbacks=[callback])
    with pytest.raises(ZeroDivisionError, match="mine"):
        search.run()
    assert told == list(range(10))
    assert session.told == sorted(number for cohort in session.proposed for number in cohort)
    cut = [one for one in search.records if one.state == "stopped"]
    assert cut
    assert {one.reason for one in cut} == {"a callback raised ZeroDivisionError"}
    assert workers.closed == 1
    assert not search.interrupted


def test_ctrl_c_in_a_callback_ends_the_search_in_order():
    def callback(record):
        if record.number == 9:
            raise KeyboardInterrupt

    session = ScriptedSession()
    search = loop(ScriptedWorkers(finished), session, n_trials=80, callbacks=[callback])
    search.run()
    assert search.interrupted
    assert session.told == sorted(number for cohort in session.proposed for number in cohort)


# What goes wrong


def gone(pruned):
    raise BrokenPipeError


def test_a_cohort_whose_worker_dies_is_tried_once_more():
    attempts = []

    def script(cohort):
        attempts.append(cohort.id)
        if attempts.count(0) > 1 or cohort.id:
            yield from finished(cohort)
            return
        yield RungReached(cohort, 1, {0: 0.3, 1: 0.4}, gone)
        yield Crashed(cohort, "killed by SIGKILL")

    session = ScriptedSession()
    search = loop(ScriptedWorkers(script), session, n_trials=16)
    search.run()
    assert attempts == [0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert session.told == list(range(16))
    assert {one.state for one in search.records} == {"complete"}


def deadly(*numbers, tried):
    """Return a script of cohorts whose worker dies at rung 2 wherever one of these trials is among them."""

    def script(cohort):
        members = tuple(one.number for one in cohort.trials)
        tried.append(members)
        yield at_rung(cohort, 1)
        if set(numbers) & set(members):
            yield RungReached(cohort, 2, dict.fromkeys(members, 0.2), gone)
            yield Crashed(cohort, "killed by SIGKILL")
        else:
            yield at_rung(cohort, 2)
            yield from finished(cohort)

    return script


def test_a_cohort_that_kills_every_worker_is_halved_until_the_one_that_does_it_is_alone():
    tried = []
    session = ScriptedSession()
    search = loop(ScriptedWorkers(deadly(5, tried=tried)), session, timeout=100, n_trials=64)
    search.run()
    whole = tuple(range(8))
    assert tried[:7] == [whole, whole, (0, 1, 2, 3), (4, 5, 6, 7), (4, 5), (4,), (5,)]
    assert tried[7] == (6, 7)
    assert session.told == list(range(64))
    assert [one.number for one in search.records if one.state != "complete"] == [5]
    failed = search.records[5]
    assert (failed.state, failed.score, failed.reason) == ("failed", None, "killed by SIGKILL")
    assert failed.curve == Curve(rungs=(1, 2), scores=(0.1, 0.2))
    of_it = [(rung, tuple(scores)) for rung, scores, _ in session.judged if 5 in scores]
    assert of_it == [(1, whole), (2, whole)]  # what is known at a rung is not judged by again


def test_a_cohort_of_one_is_tried_twice():
    tried = []
    search = loop(ScriptedWorkers(deadly(0, tried=tried)), ScriptedSession("decision_tree"), n_trials=2)
    search.run()
    assert tried == [(0,), (0,), (1,)]
    assert [one.state for one in search.records] == ["failed", "complete"]


def test_a_trial_that_was_pruned_before_its_worker_died_stays_so():
    def script(cohort):
        if cohort.id:
            yield from finished(cohort)
            return
        yield RungReached(cohort, 1, {one.number: 0.4 for one in cohort.trials}, gone)
        yield Crashed(cohort, "killed by SIGKILL")

    search = loop(ScriptedWorkers(script), ScriptedSession(prune={1}), n_trials=16)
    search.run()
    assert [one.state for one in search.records] == ["failed", "pruned"] + ["complete"] * 14
    assert search.records[1].reason == f"pruned at rung 1 of {EPOCHS}"
    assert search.records[1].score == 0.4
    assert search.records[1].curve.rungs == (1,)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_deaths_have_the_same_consequences_whoever_is_faster(seed):
    chance, found = random.Random(seed), []
    for slots in (1, 2):
        session = ScriptedSession(prune={9, 20})
        script = deadly(3, 17, 18, tried=[])
        workers = ScriptedWorkers(script, slots, choose=lambda at_work: chance.choice(list(at_work)))
        search = loop(workers, session, n_trials=45)
        search.run()
        assert workers.most == slots
        ends = [one.model_dump(exclude={"started", "seconds"}) for one in search.records]
        found.append((session.log, sorted(map(repr, session.judged)), ends))
    assert found[0] == found[1]


def test_a_cohort_too_large_for_its_worker_is_halved_at_once():
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


def test_a_cohort_that_takes_too_long_is_pruned_and_not_tried_again():
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


class SmallWorkers(ScriptedWorkers):
    has = float("inf")

    def memory_per_worker(self):
        return self.has


def test_cohorts_are_made_small_enough_for_the_memory_and_what_is_too_large_does_not_start():
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
    assert len(search.records) < 20  # nothing will ever fit


def test_a_cohort_beside_one_of_the_same_preprocessing_may_be_larger():
    shape, sizes = (10**6, 20, 3), []
    for slots in (1, 2):
        workers, session = SmallWorkers(finished, slots), ScriptedSession("mlp")
        workers.has = sum(cohort_bytes(FAMILIES["mlp"], [{}] * k, *shape) for k in (1, 8)) / 2
        loop(workers, session, n_trials=64, shape=shape).run()
        sizes.append([len(numbers) for numbers in session.proposed])
    alone, beside = sizes
    assert alone[0] == alone[1] == beside[0] < beside[1] == 8


def test_a_cohort_that_time_cuts_keeps_what_it_said_at_rungs():
    clock = Clock()

    def script(cohort):
        first, second, *_ = (proposal.number for proposal in cohort.trials)
        yield RungReached(cohort, 1, {first: 0.1, second: 0.2}, lambda pruned: None)
        yield RungReached(cohort, EPOCHS, {first: 0.7}, lambda pruned: None)
        while True:
            clock.now += 1
            yield None

    search = loop(ScriptedWorkers(script), timeout=20, clock=clock)
    search.run()
    done, cut, silent, *_ = search.records
    assert (done.state, done.score, done.reason) == ("complete", 0.7, "")
    assert (cut.state, cut.score, cut.reason) == ("stopped", 0.2, "the time was up")
    assert (silent.state, silent.score) == ("stopped", None)
    assert cut.curve == Curve(rungs=(1,), scores=(0.2,))
    assert done.curve.rungs == (1, EPOCHS)
    assert clock.now <= 22
    assert not search.interrupted


@pytest.mark.parametrize("how", ["signal", "exception"])
def test_ctrl_c_ends_the_search_in_order(how):
    def script(cohort):
        if cohort.id == 2:
            if how == "exception":
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGINT)
            yield at_rung(cohort, 1)
        yield from finished(cohort)

    session, workers = ScriptedSession(), ScriptedWorkers(script, slots=2)
    search = loop(workers, session, timeout=60)
    search.run()
    assert search.interrupted
    assert workers.closed == 1
    assert sorted(session.told) == sorted(number for cohort in session.proposed for number in cohort)
    assert {one.state for one in search.records if one.number < 16} == {"complete"}
    cut = [one for one in search.records if one.state == "stopped"]
    if how == "exception":
        assert {one.reason for one in cut} == {"the search was interrupted"}
        assert {one.number for one in cut} >= set(range(16, 24))
    else:
        assert cut == []  # what had ended by then was waited for no longer, but told
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once():
    def script(cohort):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield None

    workers = ScriptedWorkers(script)
    with pytest.raises(KeyboardInterrupt):
        loop(workers, timeout=60).run()
    assert workers.closed == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_is_left_alone():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *args: heard.append(1))

    def script(cohort):
        signal.raise_signal(signal.SIGINT)
        yield from finished(cohort)

    try:
        search = loop(ScriptedWorkers(script), n_trials=2)
        search.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (len(heard), search.interrupted, len(search.records)) == (2, False, 2)


def test_workers_are_closed_whatever_happens():
    class Broken(ScriptedSession):
        def tell(self, record):
            raise OSError("the disk is full")

    workers = ScriptedWorkers(finished)
    with pytest.raises(OSError, match="the disk is full"):
        loop(workers, Broken(), n_trials=3).run()
    assert workers.closed == 1


def test_what_will_not_come_to_its_end_has_a_part_of_the_time():
    clock, given = Clock(), []

    def script(cohort):
        given.append(cohort.deadline - time.time())
        clock.now += 3
        rungs = (1, 4) if len(given) > 1 else (1, 4, 16)
        curve = Curve(rungs=rungs, scores=(0.1,) * len(rungs), epoch_steps=16)
        state = "complete" if len(rungs) == 3 else "stopped"
        yield Finished(
            cohort,
            [
                record(proposal, seconds=40).model_copy(update={"curve": curve, "state": state})
                for proposal in cohort.trials
            ],
        )

    session = ScriptedSession("decision_tree")
    search = loop(ScriptedWorkers(script), session, timeout=30, clock=clock, epoch_steps=16)
    search.run()
    assert given[0] == pytest.approx(30, abs=1)
    # known to take 40 s by now; what is stopped among samples does not change that
    assert given[1:] == pytest.approx([0.3 * left for left in (27, 24, 21, 18, 15, 12, 9)], abs=0.3)
    assert search.records[1].early
    assert search.records[-1].reason.startswith("not started: about 40 s")


def test_the_budget_learns_what_training_costs():
    search = loop(ScriptedWorkers(finished), n_trials=8)
    search.run()
    work = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 200, 5)
    assert search.admission.costs.seconds("linear", work) == pytest.approx(0.5)


def test_a_search_that_goes_on_knows_from_the_trials_that_ended_what_training_costs():
    clock, session = Clock(), ScriptedSession("decision_tree")
    proposals = [session.proposal() for _ in range(4)]
    known = [record(proposal, seconds=20) for proposal in proposals[:3]]
    known.append(known[0].repeated(proposals[3]))  # which cost nothing, and tells nothing

    def script(cohort):
        clock.now += 1
        yield from finished(cohort, seconds=1)

    search = loop(ScriptedWorkers(script), session, timeout=10, clock=clock, known=known)
    search.run()
    assert search.records[:4] == known
    assert {one.reason for one in search.records[4:]} == {"not started: about 20 s to train, 10 s left"}


def test_the_budget_learns_from_what_was_killed_how_long_it_takes_at_least():
    clock = Clock()

    def script(cohort):
        clock.now += 5
        yield Killed(cohort, "trial_timeout", "took longer than trial_timeout, 5 s", 5.0)

    session = ScriptedSession("decision_tree")
    search = loop(ScriptedWorkers(script), session, timeout=28, clock=clock, trial_timeout=5)
    search.run()
    assert [one.state for one in search.records[:5]] == ["pruned"] * 5
    assert {one.reason for one in search.records[5:]} == {"not started: about 5 s to train, 3 s left"}
    assert clock.now == 25


def test_what_was_killed_sooner_than_it_would_have_ended_teaches_nothing():
    search = loop(ScriptedWorkers(finished), n_trials=8)
    search.run()
    work = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 200, 5)
    known = search.admission.costs.seconds("linear", work)
    for seconds, more in ((0.9 * known, False), (2 * known, True)):
        search.admission.costs.learn_minimum([ScriptedSession().proposal()], seconds)
        assert (search.admission.costs.seconds("linear", work) > known) == more


# With real workers, a real study and real cohorts

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 1e-3, "high": 1, "log": True}, "max_epochs": 6},
                "decision_tree": {"max_depth": {"low": 1, "high": 6}},
            }
        }
    }
}


def real_loop(n_jobs, storage, pruner="median", epoch_steps=1, **limits):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
    y = (X["a"] + rng.normal(size=120) > 0).to_numpy().astype(int)
    columns = TypedColumns()
    frame = columns.fit_transform(X)
    problem, folds = Problem("binary", 2), make_folds(y, "binary", 3, 0, None)
    objectives = objectives_for("roc_auc", None, "binary", 2)
    about = SearchRecord(
        study_name="s", task="binary", target="y", scoring="roc_auc", space="s", space_digest="0",
        n_rows=120, n_columns=4, n_folds=3, random_state=0, epoch_steps=epoch_steps,
    )  # fmt: skip
    study = create_study("s", storage, sampler=make_sampler("tpe", 0), pruner=make_pruner(pruner))
    spec = SearchSpec(facts=about, settings={"refit": False, **limits})
    context = WorkerContext(frame, columns.column_types_, y, problem, folds, objectives, 0, epoch_steps)
    workers, tracker = open_workers(context, n_jobs), ScriptedTracker()
    return Loop(
        spec,
        Session(study, load_space(SPACE), about),
        workers,
        Admission(spec, Budget(**limits), workers, tracker),
        Observers(tracker, NullProgress()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("epoch_steps", [1, 4])
def test_one_and_two_jobs_come_to_the_same(tmp_path, epoch_steps):
    found = []
    for n_jobs in (1, 2):
        # of Optuna's pruners the one that also looks at trials that still train
        search = real_loop(
            n_jobs, tmp_path / f"{n_jobs}.journal", "successive_halving", epoch_steps, n_trials=32
        )
        search.run()
        found.append([one.model_dump(exclude={"started", "seconds"}) for one in search.records])
    assert sorted(one["number"] for one in found[0]) == list(range(32))
    assert "pruned" in {one["state"] for one in found[0]}
    for one, other in zip(*found, strict=True):
        assert one == other


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_at_a_terminal_is_quiet(tmp_path):
    script = textwrap.dedent(f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("test_loop", {__file__!r})
        tests = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tests)
        tests.SPACE["space"]["model"]["choice"] = {{"linear": {{"max_epochs": {{"low": 10**5, "high": 2 * 10**5}}}}}}
        search = tests.real_loop(2, {str(tmp_path / "s.journal")!r}, "none", timeout=60)
        judge = search._session.report
        search._session.report = lambda *args: print("rung", flush=True) or judge(*args)
        search.run()
        print(search.interrupted, {{one.reason for one in search.records}}, flush=True)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout.readline() == "rung\n"
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert err == ""
    assert out.splitlines()[-1] == "True {'the search was interrupted'}"
    assert child.returncode == 0


def test_where_workers_measure_trials_none_is_complete_without_their_word():
    for measured, state in ((False, "complete"), (True, "stopped")):
        running = CohortRun(Cohort(0, (ScriptedSession().proposal(),)), measured=measured)
        running.start()
        running.report(EPOCHS, {0: 0.7}, lambda rung, scores: set())
        running.end("stopped", "the time was up")
        (ended,) = running.records
        assert (ended.state, ended.score) == (state, 0.7)
