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
    states = iter(
        [("stopped", "the time was up"), ("pruned", "pruned at rung 1 of 2"), ("failed", "it broke")]
    )
    firsts = []
    for _ in range(3):
        state, reason = next(states)
        session._proposer.initial_points = [{"model.decision_tree.max_depth": 2}]
        (one,) = session.propose(lambda leader: 1)
        firsts.append(session.duplicate(one.number))
        known = record(one, state, reason=reason)
        session.tell(known if firsts[-1] is None else known.repeated(one))
    assert firsts == [None, None, 1]
