"""Importance of parameters for the score, a family at a time."""

from __future__ import annotations

import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from automl.records import TrialRecord
from automl.study.attributes import RECORD

__all__ = ["param_importances"]

_FEWEST = 8  # complete trials of a family


def param_importances(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Return the importance of each parameter, by family and by dotted name.

    PED-ANOVA compares the values in the best quarter of a family's complete trials with those in all of them. It takes
    conditional parameters into account.

    Parameters
    ----------
    study : optuna.Study
        A study of this package.

    Returns
    -------
    dict of str to dict of str to float
        Shares that sum to 1, most important first. A family with fewer than 8 complete trials is left out.

    References
    ----------
    Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces", IJCAI 2023.
    """
    families: dict[str, list[optuna.trial.FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]):
        if RECORD in trial.user_attrs:
            record = TrialRecord.model_validate(trial.user_attrs[RECORD])
            families.setdefault(record.family, []).append(trial)
    return {
        family: _of_trials(trials, study.directions[0])
        for family, trials in families.items()
        if len(trials) >= _FEWEST
    }


def _of_trials(
    trials: list[optuna.trial.FrozenTrial], direction: optuna.study.StudyDirection
) -> dict[str, float]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        alone = optuna.create_study(direction=direction)
        alone.add_trials(
            [
                optuna.trial.create_trial(
                    value=trial.values[0], params=trial.params, distributions=trial.distributions
                )
                for trial in trials
            ]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental features, and of few trials
            return dict(
                get_param_importances(alone, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.25))
            )
    finally:
        optuna.logging.set_verbosity(before)
