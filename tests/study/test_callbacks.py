"""Callbacks with Optuna's signature."""

import optuna

from automl.study.callbacks import call_back


def test_callback_gets_study_and_trial_and_may_stop():
    study = optuna.create_study()
    study.tell(study.ask(), 0.5)
    calls = []

    def stop_at_first(shown, trial):
        calls.append((shown.study_name, trial.number, trial.value))
        shown.stop()

    assert call_back(study, stop_at_first, 0)
    assert calls == [(study.study_name, 0, 0.5)]
    assert not call_back(study, lambda shown, trial: None, 0)
