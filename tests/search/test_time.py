"""The time limit of a search, with a scripted clock."""

import time

import pytest

from automl.families import FAMILIES
from automl.records import Curve
from automl.workers import (
    Finished,
    RungReached,
)
from tests.support.scripted import (
    EPOCHS,
    Clock,
    ScriptedSession,
    ScriptedTracker,
    ScriptedWorkers,
    finished,
    loop,
    record,
)


def test_time_up_ends_proposals():
    clock = Clock()

    def eighth_of_a_second_each(cohort):
        clock.now += len(cohort.trials) / 8
        yield from finished(cohort, seconds=1 / 8)

    session = ScriptedSession()
    search = loop(ScriptedWorkers(eighth_of_a_second_each), session, timeout=10, clock=clock)
    search.run()
    assert 9 < clock.now <= 10
    assert len(search.records) == len(session.finished)
    sizes = [len(numbers) for numbers in session.proposed]
    assert sizes[0] == 8
    assert sizes == sorted(sizes, reverse=True)  # cohorts shrink with the time left
    assert sizes[-1] < 3


class SlowTracker(ScriptedTracker):
    """Logs runs one after another; asking for the backlog takes ``asking`` seconds of the clock."""

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
def test_slow_logging_pauses_proposals(asking):
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


def test_slow_logging_changes_nothing_with_n_trials():
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


def test_time_is_reserved_for_the_refit():
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


@pytest.mark.parametrize(
    ("family", "part", "later"),
    [("linear", 1 / (1 + 3 / 8), 1 / (1 + 3 / 8 / 2)), ("decision_tree", 1 / 2, 1 / (1 + 1 / 2))],
)
def test_cohorts_leave_time_for_a_refit(family, part, later):
    given = []

    def endless(cohort):
        given.append((len(cohort.trials), cohort.deadline - time.time()))
        yield from finished(cohort)

    search = loop(ScriptedWorkers(endless), ScriptedSession(family), timeout=600, n_trials=64, refit=True)
    search.run()
    (n, first), *_, (_, last) = given
    assert n == FAMILIES[family].max_cohort_size({}, 3)
    assert first == pytest.approx(part * 598, rel=0.01)
    assert last == pytest.approx(later * 598, rel=0.01)  # all rows are half of those of three folds


def test_slow_machine_reserves_more_time():
    ends = []
    for slowness in (1, 4):
        clock = Clock()

        def brief(cohort, clock=clock):
            clock.now += 0.1
            yield from finished(cohort, seconds=0.01)

        loop(ScriptedWorkers(brief), timeout=50, clock=clock, refit=True, slowness=slowness).run()
        ends.append(clock.now)
    assert 4 < ends[0] - ends[1] < 5


def test_uninterruptible_fit_does_not_start_without_time():
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


def test_cohort_that_cannot_end_gets_a_share_of_the_time():
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
    # The estimate is 40 s by now. A fit stopped within an epoch does not change it.
    assert given[1:] == pytest.approx([0.3 * left for left in (27, 24, 21, 18, 15, 12, 9)], abs=0.3)
    assert search.records[1].early
    assert search.records[-1].reason.startswith("not started: about 40 s")


def test_stopped_cohort_keeps_reported_scores():
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
