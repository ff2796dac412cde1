"""`Budget`: time and trials left."""

import pytest

from automl.search import Budget


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_budget_counts_time_and_trials(clock):
    budget = Budget(timeout=60, n_trials=10, clock=clock)
    assert (budget.remaining, budget.trials_left) == (60, 10)
    clock.now += 45
    budget.proposed |= set(range(8))
    assert (budget.elapsed, budget.remaining, budget.trials_left) == (45, 15, 2)
    clock.now += 20
    assert budget.remaining == -5


def test_budget_is_infinite_by_default(clock):
    budget = Budget(clock=clock)
    clock.now += 1e6
    budget.proposed |= set(range(10**6))
    assert budget.remaining == budget.trials_left == float("inf")
