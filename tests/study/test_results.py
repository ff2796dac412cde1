"""Results in a study."""

import math

import pytest
from optuna.trial import TrialState

from automl.families import load_space
from automl.records import Curve
from automl.study import (
    Session,
    create_study,
    load_study,
    make_pruner,
    make_sampler,
    read_records,
    read_search,
)
from tests.support.sessions import ONE
from tests.support.studies import SEARCH, SPACE


def test_results_can_be_read_from_journal(make_session, record, journal):
    session = make_session()
    curve = Curve(losses=(0.7, math.nan), learning_rates=(0.1, 0.05), rungs=(1, 2), scores=(0.5, 0.25))
    a, b, c, d = session.propose(lambda leader: 4)
    records = [
        record(a, score=0.25, curve=curve, fold_scores=(0.5, 0.0), metrics={"f1": 0.5}, seconds=1.5),
        record(b, "failed", None, fold_scores=(math.nan, math.inf), reason="score at rung 1 is nan"),
        record(c, "pruned", 0.5, reason="pruned at rung 1 of 2"),
    ]
    for one in reversed(records):
        session.tell(one)
    study = load_study("s", journal)
    assert [one.model_dump_json() for one in read_records(study)] == [
        one.model_dump_json() for one in records
    ]
    assert read_search(study).random_state == 7
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING]
    assert study.best_value == 0.25
    with pytest.raises(KeyError):
        session.tell(records[0])


SEVERAL = SEARCH.model_copy(
    update={
        "scoring": "roc_auc, model_bytes",
        "directions": ("maximize", "minimize"),
        "constraints": {"fit_seconds": 1},
    }
)


def test_several_objectives_store_values_and_constraints(journal, record):
    study = create_study(
        "s",
        journal,
        sampler=make_sampler("tpe", 7),
        pruner=make_pruner(None, 2),
        directions=SEVERAL.directions,
    )
    session = Session(study, load_space(SPACE), SEVERAL)
    cohort = session.propose(lambda leader: 3)
    numbers = [one.number for one in cohort]
    assert session.report(1, dict.fromkeys(numbers, 0.5)) == set()
    values = {"roc_auc": 0.7, "model_bytes": 512.0, "fit_seconds": 0.5}
    session.tell(record(cohort[0], score=0.7, values=values, excess={"fit_seconds": -0.5}))
    session.tell(
        record(cohort[1], score=0.8, values={**values, "roc_auc": 0.8}, excess={"fit_seconds": 0.25})
    )
    session.tell(record(cohort[2], "stopped"))
    within, over, stopped = load_study("s", journal).get_trials()
    assert (within.values, within.constraints) == ([0.7, 512.0], {"fit_seconds": -0.5})
    assert (over.values, over.constraints) == ([0.8, 512.0], {"fit_seconds": 0.25})
    assert (stopped.state, stopped.values, stopped.constraints) == (TrialState.PRUNED, None, {})
    assert [trial.number for trial in study.best_trials] == [within.number]
    assert read_search(study) == SEVERAL


def test_loss_is_stored_with_its_sign(journal, record):
    about = SEARCH.model_copy(update={"scoring": "loss", "directions": ("minimize",)})
    study = create_study(
        "s",
        journal,
        sampler=make_sampler("random", 7),
        pruner=make_pruner("median"),
        directions=("minimize",),
    )
    session = Session(study, load_space(ONE), about)
    pruned = set()
    for loss in (*[1.0] * 10, 3.0):
        (one,) = session.propose(lambda leader: 1)
        session.report(1, {one.number: -loss})
        pruned |= session.report(2, {one.number: -loss})
        session.tell(record(one, score=-loss))
    trials = study.get_trials()
    assert [trial.value for trial in trials] == [1.0] * 10 + [3.0]
    assert all(set(trial.intermediate_values.values()) == {trial.value} for trial in trials)
    assert study.best_value == 1.0
