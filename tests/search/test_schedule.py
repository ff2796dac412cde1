"""When a cohort is proposed, and whose results are recorded next."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from automl.records import TrialSpec
from automl.search import CohortRun
from automl.search.schedule import Schedule
from automl.workers import Cohort
from tests.support.scripted import record


def run(number, ended=False):
    trial = TrialSpec(number=number, configuration={"model": {"decision_tree": {}}}, params={}, seed=0)
    made = CohortRun(Cohort(number, (trial,)))
    if ended:
        made.finish([record(trial)])
    return made


def schedule(*runs, slots=1, repeatable=True):
    by_id = {one.cohort.id: one for one in runs}
    return Schedule(by_id, SimpleNamespace(slots=slots), repeatable)


@pytest.mark.parametrize(("slots", "ahead"), [(1, 2), (2, 2), (3, 6), (4, 8)])
def test_schedule_is_free_up_to_the_cohorts_ahead(slots, ahead):
    assert schedule(*map(run, range(ahead - 1)), slots=slots).free
    assert not schedule(*map(run, range(ahead)), slots=slots).free


def test_schedule_of_a_repeatable_search_ignores_changes_of_slots():
    for repeatable in (True, False):
        workers = SimpleNamespace(slots=3)
        made = Schedule({number: run(number) for number in range(4)}, workers, repeatable)
        assert made.free == repeatable
        workers.slots = 5  # nodes have joined the cluster
        assert made.free
        workers.slots = 1
        assert made.free == repeatable


def test_schedule_records_in_the_order_of_proposals_if_repeatable():
    runs = [run(4), run(5, ended=True)]
    assert schedule(*runs).next_to_tell() is None
    assert schedule(*runs, repeatable=False).next_to_tell() is runs[1]
    first = run(4, ended=True)
    assert schedule(first, runs[1]).next_to_tell() is first


def test_schedule_hides_later_results_if_repeatable():
    assert schedule(run(4), run(5, ended=True)).known(9) == 4
    assert schedule().known(9) == 9
    assert schedule(run(4), repeatable=False).known(9) is None
