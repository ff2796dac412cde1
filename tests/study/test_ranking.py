"""Orders of trial numbers."""

from optuna.trial import TrialState, create_trial

from automl.study.ranking import Ranking, first, random_rank, sort_keys


def ranking(n):
    found = Ranking(1)
    for number in range(n):
        found.add(number, [(0.0, float(-number % 17))], random_rank(0, number))
    return found


def test_ranking_subset_is_all_of_few():
    assert ranking(250).subset() == set(range(250))


def test_ranking_subset_keeps_to_given_numbers():
    even = set(range(0, 1_000, 2))
    subset = ranking(1_000).subset(even)
    assert subset <= even
    assert len(subset) == 250


def test_sort_keys_order_complete_pruned_and_violating_trials():
    def key(**more):
        (found,) = sort_keys(create_trial(**more), [-1.0])
        return found

    pruned = {"state": TrialState.PRUNED}
    keys = [
        key(value=0.9),
        key(value=0.1),
        key(**pruned, intermediate_values={1: 0.1, 4: 0.2}),
        key(**pruned, intermediate_values={1: 0.9}),
        key(**pruned, intermediate_values={1: float("nan")}),
        key(**pruned),
        key(value=1.0, constraints={"bytes": 0.5}),
        key(value=1.0, constraints={"bytes": 2.0}),
    ]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_first_takes_no_more_than_there_are():
    assert first(iter(range(3)), 5) == [0, 1, 2]
    assert first(iter(range(9)), 2) == [0, 1]
