"""Equal configurations."""

from automl.study.duplicates import Duplicates
from tests.support.sessions import FEW


def test_duplicates_of_first_trial_are_found_in_any_key_order():
    duplicates = Duplicates()
    duplicates.start({"a": 1, "b": {"c": 2}}, 0)
    duplicates.start({"b": {"c": 2}, "a": 1}, 3)
    assert (duplicates.first(0), duplicates.first(3)) == (None, 0)
    assert (duplicates.end(3), duplicates.end(3), duplicates.end(0)) == (True, False, False)
    duplicates.forget({"a": 1, "b": {"c": 2}}, 3)  # not the first
    assert duplicates.is_known({"a": 1, "b": {"c": 2}})
    duplicates.forget({"a": 1, "b": {"c": 2}}, 0)
    assert not duplicates.is_known({"a": 1, "b": {"c": 2}})


def test_stopped_trial_is_trained_again(make_session, record):
    session = make_session(FEW, sampler="random")
    depths = []
    for state in ("stopped", "pruned", "failed"):
        session._proposer.initial_points = [{"model.decision_tree.max_depth": 2}]
        (one,) = session.propose(lambda leader: 1)
        depths.append(one.params["model.decision_tree.max_depth"])
        session.tell(record(one, state, reason="it ended"))
    assert depths[:2] == [2, 2]
    assert depths[2] != 2
