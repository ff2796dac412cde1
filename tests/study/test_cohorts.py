"""Cohorts: shared structure, and restart after a kill."""

from copy import deepcopy

import pytest
from optuna.trial import TrialState

from automl.families import structural
from tests.support.studies import SPACE


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_cohort_shares_structure_of_leader_only(make_session, record, sampler):
    session = make_session(sampler=sampler)
    for i in range(8):
        sizes = []
        cohort = session.propose(lambda leader, sizes=sizes: sizes.append(leader) or 4)
        assert sizes == [cohort[0]]
        shared = [{path: value for path, value in one.params.items() if structural(path)} for one in cohort]
        assert len(cohort) == 4 or cohort[0].family == "decision_tree"  # few depths
        assert shared == [shared[0]] * len(cohort)
        assert len({str(one.params) for one in cohort}) == len(cohort)
        assert len({one.seed for one in cohort}) == len(cohort)
        for one in cohort:
            session.tell(record(one, score=0.1 * i + one.number / 100))


def test_running_cohorts_restart_in_wider_space(make_session, record):
    dead = make_session(sampler="tpe")
    cohorts = [dead.propose(lambda leader: 3) for _ in range(5)]
    left = [one for cohort in cohorts[1:] for one in cohort]
    for one in cohorts[0]:
        dead.tell(record(one, score=0.1 * one.number))
    wider = deepcopy(SPACE)
    linear = wider["space"]["model"]["choice"]["linear"]
    linear["l1"] = [0, {"low": 1e-7, "high": 1, "log": True}, {"low": 2, "high": 3}]
    linear["learning_rate"] = [0.5, linear["learning_rate"]]
    linear["max_epochs"] = [20, 40]
    wider["space"]["preprocess"]["numeric"]["scale"] = ["none", "robust", "standard"]
    wider["space"]["model"]["choice"]["mlp"]["hidden_layer_sizes"] = [[4], [8], [16]]
    assert any(one.params.get("model.linear.l1", 0) > 0 for one in left)
    alive = make_session(wider, sampler="tpe", resume=True)
    again = alive.poll_remote().orphaned
    assert [one for cohort in again for one in cohort] == left
    for one in left:
        alive.tell(record(one, score=0.1 * one.number))
    for _ in range(12):
        for one in alive.propose(lambda leader: 3):
            alive.tell(record(one, score=0.01 * one.number))
    trials = alive.study.trials
    states = {one.state for one in trials if "forbidden" not in one.user_attrs}
    assert states == {TrialState.COMPLETE}
