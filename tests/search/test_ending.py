"""What is in training when a search ends."""

from __future__ import annotations

import time

import pytest

from automl.records import TrialSpec
from automl.search import CohortRun, Observers
from automl.search.ending import Ending
from automl.search.interrupts import Interrupt
from automl.tracking import NullProgress
from automl.workers import Cohort, Finished
from tests.support.scripted import ScriptedTracker, ScriptedWorkers, at_rung, record


class Stopped(ScriptedWorkers):
    """Notes whether it was asked to stop."""

    stops = 0

    def stop(self):
        self.stops += 1
        return True


def started(family="linear"):
    trial = TrialSpec(number=0, configuration={"model": {family: {"max_epochs": 4}}}, params={}, seed=0)
    run = CohortRun(Cohort(0, (trial,)))
    run.start()
    return run


def ending(workers):
    observers, interrupt = Observers(ScriptedTracker(), NullProgress()), Interrupt()
    return Ending(workers, observers, interrupt), observers, interrupt


def test_ending_says_why():
    made, observers, interrupt = ending(ScriptedWorkers(None))
    assert made.reason == "the time was up"
    interrupt.seen = True
    assert made.reason == "the search was interrupted"
    observers.error = KeyError("x")
    assert made.reason == "a callback raised KeyError"


def test_ending_takes_the_results_of_what_it_stops():
    run = started()

    def script(cohort):
        yield at_rung(cohort, 1)
        stopped = record(cohort.trials[0]).model_copy(update={"state": "stopped", "reason": "its own"})
        yield Finished(cohort, [stopped])

    workers, seen = Stopped(script), []
    workers.submit(run.training)

    def react(event):
        seen.append(event)
        run.finish(event.records)

    start = time.monotonic()
    ending(workers)[0].take_last_results({0: run}, react)
    assert time.monotonic() - start < 0.5  # nothing trains any more
    assert workers.stops == 1
    ((one,),) = (event.records for event in seen)  # no question at a rung
    assert (one.state, one.reason) == ("stopped", "the time was up")


@pytest.mark.parametrize("family", ["decision_tree", "linear"])
def test_ending_waits_a_second_for_what_can_be_stopped(family):
    workers = Stopped(None)
    start = time.monotonic()
    workers.next = lambda timeout: time.sleep(timeout)
    ending(workers)[0].take_last_results({0: started(family)}, lambda event: None)
    assert workers.stops == (family == "linear")
    assert (time.monotonic() - start > 0.9) == (family == "linear")
