import numpy as np
import optuna
import pytest

from automl.study import param_importances
from automl.study.attributes import RECORD
from tests.support.trials import trial_record


def test_param_importances_finds_the_important_parameter_of_each_family():
    rng = np.random.default_rng(0)
    study = optuna.create_study(direction="maximize")
    ranges = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("a", "b")}
    for number in range(60):
        family = ["linear", "mlp"][number % 2]
        own = {"a": rng.random(), "b": rng.random()}
        score = -((own["a" if family == "linear" else "b"] - 0.3) ** 2)
        record = trial_record(number, family, score, own=own)
        params = {name: value for name, value in record.params.items() if name != "model"}
        study.add_trial(
            optuna.trial.create_trial(
                value=score, params=params, user_attrs={RECORD: record.model_dump(mode="json")},
                distributions={name: ranges[name[-1]] for name in params},
            )
        )  # fmt: skip
    found = param_importances(study)
    assert found["linear"]["model.linear.a"] > 0.9
    assert found["mlp"]["model.mlp.b"] > 0.9
    assert sum(found["mlp"].values()) == pytest.approx(1)


def test_param_importances_leaves_out_small_families():
    study = optuna.create_study()
    record = trial_record(0)
    study.add_trial(optuna.trial.create_trial(value=0.5, user_attrs={RECORD: record.model_dump(mode="json")}))
    study.add_trial(optuna.trial.create_trial(value=0.5))  # of another program
    assert param_importances(study) == {}
