import pytest

from automl.search import Budget


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_time_and_trials_run_out(clock):
    budget = Budget(timeout=60, n_trials=10, clock=clock)
    assert (budget.remaining, budget.trials_left) == (60, 10)
    clock.now += 45
    budget.proposed |= set(range(8))
    assert (budget.elapsed, budget.remaining, budget.trials_left) == (45, 15, 2)
    clock.now += 20
    assert budget.remaining == -5


def test_without_limits_there_is_no_end(clock):
    budget = Budget(clock=clock)
    clock.now += 1e6
    budget.proposed |= set(range(10**6))
    assert budget.remaining == budget.trials_left == float("inf")


def test_large_and_late_observations_count_for_more(clock):
    budget = Budget(clock=clock)
    assert budget.estimate("tree", 1000, guess=0.01) == pytest.approx(10)
    budget.observe("tree", work=100, seconds=2)
    assert budget.estimate("tree", 1000, guess=0.01) == pytest.approx(20)
    budget.observe("tree", work=1, seconds=1)  # a small piece, mostly overhead
    assert budget.estimate("tree", 1000) == pytest.approx(1000 * 2.6 / 81)
    budget.observe("tree", work=1000, seconds=50)
    assert budget.estimate("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    budget.observe("tree", work=0, seconds=5)  # nothing was done: nothing is learned
    assert budget.estimate("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    assert budget.estimate("other", 1000) == 0
