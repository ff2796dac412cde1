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
