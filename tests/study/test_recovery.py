"""Sessions on studies whose process was killed."""

from optuna.trial import TrialState

from automl.study.stored import set_user_attr


def test_trial_with_record_is_ended(make_session, record):
    killed = make_session()
    (one,) = killed.propose(lambda leader: 1)
    (trial,) = killed.study.get_trials()
    result = record(one, score=0.75)
    set_user_attr(killed.study, trial, "record", result.model_dump(mode="json"))
    session = make_session(resume=True)
    assert session.records == [result]
    (trial,) = session.study.get_trials()
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.75)
    assert session.poll_remote().orphaned == ()


def test_trial_without_record_runs_again(make_session):
    killed = make_session()
    cohort = killed.propose(lambda leader: 3)
    session = make_session(resume=True)
    assert session.records == []
    assert session.remote_trials == {one.number for one in cohort}
    assert session.poll_remote().orphaned == (cohort,)
    assert session.remote_trials == set()


def test_initial_points_are_not_tried_again(make_session, record):
    killed = make_session()
    (start,) = killed.propose(lambda leader: 1)
    killed.tell(record(start))
    session = make_session(resume=True)
    (leader,) = session.propose(lambda leader: 1)
    assert leader.configuration != start.configuration
    first, second = (trial.user_attrs["lead"] for trial in session.study.get_trials())
    assert (first["model.mlp.dropout"], second) == (0.25, {"model": leader.family})
