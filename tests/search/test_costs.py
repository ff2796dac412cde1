import pytest

from automl.search.costs import CostModel
from tests.support.scripted import search_spec


def test_cost_model_weighs_large_and_recent_observations_more():
    costs = CostModel(search_spec().facts)
    assert costs.seconds("tree", 1000, guess=0.01) == pytest.approx(10)
    costs.observe("tree", cost=100, seconds=2)
    assert costs.seconds("tree", 1000, guess=0.01) == pytest.approx(20)
    costs.observe("tree", cost=1, seconds=1)  # a small piece, mostly overhead
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 2.6 / 81)
    costs.observe("tree", cost=1000, seconds=50)
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    costs.observe("tree", cost=0, seconds=5)  # nothing was done: nothing is learned
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    assert costs.seconds("other", 1000) == 0
