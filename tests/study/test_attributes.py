"""Attributes of studies."""

import optuna

from automl.study import read_records, read_search


def test_study_of_other_program_has_no_search():
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert read_search(study) is None
    assert read_records(study) == []
