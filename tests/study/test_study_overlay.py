"""Studies read through an overlay."""

import optuna
import pytest
from optuna.trial import TrialState

from automl.study.study_overlay import overlay_study
from automl.study.trial_copies import PENDING_ID, as_complete, as_proposed


@pytest.fixture
def study():
    study = optuna.create_study(direction="maximize")
    for value in (0.1, 0.9, 0.5):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.report(value, 1)
        study.tell(trial, value)
    return study


def test_overlay_hides_and_replaces_trials(study):
    shown, storage = overlay_study(study)
    trials = study.get_trials()
    storage.subset = trials[:1]
    storage.overlay = {2: as_proposed(trials[2])}
    assert [(one.number, one.state) for one in shown.get_trials()] == [
        (0, TrialState.COMPLETE),
        (2, TrialState.RUNNING),
    ]
    assert shown.best_value == 0.1
    assert study.best_value == 0.9


def test_overlay_draws_a_trial_that_is_not_stored(study):
    shown, storage = overlay_study(study)
    storage.next_number = 7
    trial = shown.ask()
    x = trial.suggest_float("x", 0, 1)
    draft = storage.get_trial(PENDING_ID)
    assert (draft.number, draft.params) == (7, {"x": x})
    assert len(study.trials) == 3


def test_copies_of_a_trial_leave_it_as_it_is(study):
    trial = study.get_trials()[1]
    proposed, complete = as_proposed(trial), as_complete(trial, 1)
    assert (proposed.state, proposed.intermediate_values) == (TrialState.RUNNING, {})
    assert (complete.state, complete.value) == (TrialState.COMPLETE, 0.9)
    assert (trial.state, trial.intermediate_values) == (TrialState.COMPLETE, {1: 0.9})
