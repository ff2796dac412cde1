"""Trials of other processes."""

import pytest
from optuna.trial import TrialState

from automl.families import load_space
from automl.study import Session, create_study, load_study, make_pruner, make_sampler
from tests.support.sessions import FEW
from tests.support.studies import SEARCH, SPACE


class LiveLease:
    """A lease whose other processes are all alive."""

    def __init__(self, token):
        self.token = token

    def heartbeat(self):
        pass

    def is_first(self):
        return True

    def is_alive(self, token):
        return True


@pytest.fixture
def two_sessions(journal):
    """Return two sessions of one study, with a storage each."""

    def two_sessions(space, n_trials=None):
        create_study("s", journal, sampler=make_sampler("random", 7), pruner=make_pruner("none"))
        return [
            Session(load_study("s", journal), load_space(space), SEARCH, LiveLease(token), n_trials)
            for token in ("one", "two")
        ]

    return two_sessions


def test_last_trial_goes_to_first_of_two_processes(two_sessions):
    one, two = two_sessions(SPACE, n_trials=1)
    first = []
    # The first process proposes while the second asks for the size of its cohort.
    assert two.propose(lambda leader: first.extend(one.propose(lambda leader: 1)) or 1) == ()
    assert [proposal.number for proposal in first] == [0]
    kept, surplus = two.study.get_trials()
    assert (kept.state, kept.user_attrs["owner"]) == (TrialState.RUNNING, "one")
    assert (surplus.state, surplus.user_attrs["surplus"]) == (TrialState.FAIL, True)


def test_equal_proposals_of_two_processes_are_trained_once(two_sessions, record):
    one, two = two_sessions(FEW | {"enqueue": [{"decision_tree.max_depth": 2}]})
    first = []
    (second,) = two.propose(lambda leader: first.extend(one.propose(lambda leader: 1)) or 1)
    assert (first[0].number, second.number) == (0, 1)
    assert first[0].configuration == second.configuration
    assert one.duplicate(0) is None
    assert two.duplicate(1) == 0
    assert two.remote_trials == {0}
    one.tell(record(first[0], score=0.75))
    two._remote._polled = float("-inf")
    assert [one.score for one in two.poll_remote().records] == [0.75]
    assert two.remote_trials == set()
