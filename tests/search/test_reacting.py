"""What a search does when workers report."""

from __future__ import annotations

from automl.records import TrialSpec
from automl.search import CohortRun
from automl.search.reacting import react
from automl.workers import Cohort, Crashed, Finished, Killed, RungReached
from tests.support.scripted import at_rung, record


class Costs:
    """Record the calls of `react`."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *given, **more: self.calls.append((name, *given, *more.values()))


def report(make_event, n=2, prune=lambda rung, scores: set()):
    """Return the run and the costs after an event of a cohort in training."""
    trials = tuple(
        TrialSpec(number=number, configuration={"model": {"linear": {"max_epochs": 4}}}, params={}, seed=0)
        for number in range(n)
    )
    run, costs = CohortRun(Cohort(0, trials)), Costs()
    react(run, make_event(run.start()), costs, prune)
    return run, costs.calls


def test_question_at_a_rung_is_answered():
    replies = []
    run, calls = report(lambda cohort: at_rung(cohort, 1, replies), prune=lambda rung, scores: {1})
    assert replies == [{1}]
    assert run.pruned == {1: 1}
    assert calls == [("learn_rung", run.cohort.trials, 1, 0.0, False)]


def test_question_of_a_dead_worker_is_no_error():
    def broken(pruned):
        raise BrokenPipeError

    run, _ = report(lambda cohort: RungReached(cohort, 1, {0: 0.1, 1: 0.2}, broken))
    assert run.training is not None


def test_results_end_the_part():
    run, calls = report(lambda cohort: Finished(cohort, [record(trial) for trial in cohort.trials]))
    assert run.ended
    assert calls == [("learn", run.records)]


def test_crash_repeats_the_cohort_and_too_much_memory_its_halves():
    for event, parts in (
        (lambda cohort: Crashed(cohort, "gone"), [2]),
        (lambda cohort: Killed(cohort, "memory_limit", "large", 1.0), [1, 1]),
    ):
        run, calls = report(event)
        found = []
        while run.waiting:
            found.append(len(run.start().trials))
            run.finish([])
        assert (found, calls) == (parts, [])


def test_overdue_part_is_pruned():
    run, calls = report(lambda cohort: Killed(cohort, "trial_timeout", "late", 7.0))
    assert [(one.state, one.reason) for one in run.records] == [("pruned", "late")] * 2
    assert calls == [("learn_minimum", run.cohort.trials, 7.0)]


def test_event_of_a_run_that_is_not_in_training_is_ignored():
    run, _ = report(lambda cohort: Finished(cohort, [record(trial) for trial in cohort.trials]))
    costs = Costs()
    react(run, Killed(run.cohort, "trial_timeout", "late", 7.0), costs, lambda rung, scores: set())
    assert costs.calls == []
    assert {one.state for one in run.records} == {"complete"}
