"""Pruners by name."""

import optuna
import pytest

from automl.study import make_pruner
from automl.study.pruners import PRUNERS


@pytest.mark.parametrize("name", ["threshold:0.5" if name == "threshold" else name for name in PRUNERS])
def test_pruner_by_name_prunes_bad_trial(name):
    study = optuna.create_study(study_name="s", direction="maximize", pruner=make_pruner(name))
    for _ in range(10):
        trial = study.ask()
        for step in range(1, 12):
            trial.report(0.9 + step / 1000, step)
            trial.should_prune()
        study.tell(trial, 0.9)
    bad = study.ask()
    pruned = []
    for step in range(1, 12):
        bad.report(0.1 - step / 1000, step)
        pruned.append(bad.should_prune())
    assert any(pruned) == (name != "none")


def test_hyperband_decision_ignores_earlier_calls():
    pruner = make_pruner("hyperband")
    study = optuna.create_study(study_name="always", direction="maximize", pruner=pruner)
    for last in (9, 81):
        for _ in range(20):
            trial = study.ask()
            for step in (1, 3, 9, 27, 81):
                if step <= last:
                    trial.report(0.9, step)
                    trial.should_prune()
            study.tell(trial, 0.9)
        trial = study.ask()
        trial.report(0.1, 1)
        frozen = study.get_trials(deepcopy=False)[-1]
        assert pruner.prune(study, frozen) == optuna.pruners.HyperbandPruner().prune(study, frozen)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def test_pruner_takes_number_after_name():
    few, many = (make_pruner(f"percentile:{share}") for share in (10, 90))
    study = optuna.create_study(direction="maximize")
    for value in range(11):
        trial = study.ask()
        for step in (1, 2):
            trial.report(value, step)
        study.tell(trial, value)
    trial = study.ask()
    for step in (1, 2):
        trial.report(5, step)
    frozen = study.get_trials()[-1]
    assert (few.prune(study, frozen), many.prune(study, frozen)) == (True, False)
