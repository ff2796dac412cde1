"""Folds in turn: the score that a trial must keep up with, and what the study stores."""

import pytest
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from automl.records import Curve
from automl.study.pruners import DEFAULT_PRUNER, RacingPruner, make_pruner
from automl.study.racing import FoldRace
from tests.support.studies import SEARCH
from tests.support.trials import search_record, trial_record


def ended(number, *folds, state="complete", **more):
    return trial_record(number, score=sum(folds) / len(folds), state=state, fold_scores=folds, **more)


def test_floor_is_the_lowest_fold_of_the_best_trial():
    race = FoldRace(search_record())
    assert race.floor(None) is None
    race.add(ended(0, 0.5, 0.7))
    race.add(ended(1, 0.6, 0.8))
    race.add(ended(2, 0.9, 0.2))
    assert race.floor(None) == 0.6
    assert (race.floor(1), race.floor(0)) == (0.5, None)


@pytest.mark.parametrize("state", ["pruned", "stopped", "failed"])
def test_floor_is_that_of_a_complete_trial(state):
    race = FoldRace(search_record())
    race.add(ended(0, 0.9, 0.8, state=state))
    assert race.floor(None) is None


def test_floor_is_that_of_a_trial_within_the_limits():
    race = FoldRace(search_record(constraints={"model_bytes": 1000.0}))
    race.add(ended(0, 0.9, 0.8, excess={"model_bytes": 0.5}))
    race.add(ended(1, 0.7, 0.6, excess={"model_bytes": -0.5}))
    race.add(ended(2, 0.9, 0.8))
    assert race.floor(None) == 0.6


def test_racing_is_the_default_and_prunes_at_rungs_as_median():
    assert isinstance(make_pruner(None), RacingPruner)
    assert DEFAULT_PRUNER == "racing"
    assert issubclass(RacingPruner, MedianPruner)
    assert type(make_pruner("median")) is MedianPruner


@pytest.mark.parametrize("pruner", ["racing", "median"])
def test_session_names_the_floor_of_its_cohort(make_session, record, pruner):
    session = make_session(pruner=pruner)
    (first,) = session.propose(lambda leader: 1)
    assert session.floor(first.number) is None
    session.tell(record(first, fold_scores=(0.4, 0.6)))
    (before,) = session.propose(lambda leader: 1, 0)  # proposed before the result was known
    (after,) = session.propose(lambda leader: 1, 1)
    floors = [session.floor(trial.number) for trial in (before, after)]
    assert floors == ([None, 0.4] if pruner == "racing" else [None, None])


@pytest.mark.parametrize(
    ("cv", "races"), [(None, True), (5, True), ("time", False), ("time:3", False), ("object", False)]
)
def test_session_races_where_folds_are_alike(make_session, record, monkeypatch, cv, races):
    monkeypatch.setattr("tests.study.conftest.SEARCH", SEARCH.model_copy(update={"cv": cv}))
    session = make_session(pruner="racing")
    (first,) = session.propose(lambda leader: 1)
    session.tell(record(first, fold_scores=(0.4, 0.6)))
    (second,) = session.propose(lambda leader: 1)
    assert session.floor(second.number) == (0.4 if races else None)


def test_floor_of_a_trial_that_is_taken_over_is_the_same(make_session, record):
    dead = make_session(pruner="racing")
    first, second, third = [dead.propose(lambda leader: 1, sees)[0] for sees in (0, 0, 1)]
    dead.tell(record(first, score=0.5, fold_scores=(0.4, 0.6)))
    dead.tell(record(second, score=0.8, fold_scores=(0.7, 0.9)))
    alive = make_session(pruner="racing", resume=True)
    ((again,),) = alive.poll_remote().orphaned
    assert again == third
    assert alive.floor(third.number) == 0.4


def test_sampler_learns_the_score_of_the_folds_that_were_trained(make_session, record):
    session = make_session(pruner="racing")
    (trial,) = session.propose(lambda leader: 1)
    session.report(1, {trial.number: 0.3})
    curve = Curve(rungs=(1, 4), scores=(0.3, 0.45))
    raced = record(trial, "pruned", 0.45, fold_scores=(0.45,), folds_left=2, curve=curve)
    session.tell(raced)
    (stored,) = session.study.trials
    assert (stored.state, stored.intermediate_values) == (TrialState.PRUNED, {1: 0.3, 4: 0.45})
