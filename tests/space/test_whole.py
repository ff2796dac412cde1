"""A file that uses the whole language, with the vocabulary of the families."""

from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from jsonschema import Draft202012Validator

from automl import Branch, Choice, Float, Int, load_space
from automl.families import Problem, incompatibility_check, vocabulary
from automl.metrics import metric_for
from automl.space import json_schema
from automl.study import make_sampler

FILE = Path(__file__).parent / "churn.yaml"


def built():
    """The same with Python's builders."""
    descent = {
        "optimizer": Branch(
            sgd={},
            momentum={"momentum": Float(0.5, 0.99), "nesterov": Choice(True, False)},
            adam={"beta1": 0.9, "beta2": Float(0.9, 0.9999)},
        ),
        "learning_rate": Float(1e-4, 1, log=True),
        "schedule": Branch(
            constant={},
            exponential={"rate": Float(0.8, 0.999)},
            step={"factor": Float(0.1, 0.9), "every": Int(2, 20)},
            cosine={},
        ),
        "batch_size": Choice("full", 256, 32),
        "max_epochs": Int(5, 100, fidelity=True),
    }
    tree = {
        "model": Branch(
            decision_tree={"max_depth": Int(2, 20)},
            linear={
                **descent,
                "loss": ["logistic", "hinge"],
                "l2": Float(1e-6, 1, log=True),
                "l1": Choice(0, Float(1e-6, 1e-1, log=True)),
            },
            mlp={**descent, "hidden_layer_sizes": Choice([64], [128, 64]), "dropout": Float(0, 0.5)},
            my_forest={
                "estimator": "sklearn.ensemble.ExtraTreesClassifier",
                "n_estimators": Int(50, 500, step=50),
                "bootstrap": [True, False],
            },
        ),
        "preprocess": {
            "numeric": {"impute": ["median", "mean"], "scale": ["standard", "robust", "quantile"]},
            "categorical": {"encode": ["onehot", "target"]},
        },
    }
    return {
        "task": ["multiclass", "binary"],
        "space": tree,
        "forbid": [{"model": "linear", "loss": "hinge", "optimizer": "adam"}],
        "enqueue": [{"model": "linear", "optimizer": "adam", "learning_rate": 0.01}],
    }


@pytest.mark.parametrize(
    "source", [yaml.safe_load(FILE.read_text()), FILE.read_text(), built()], ids=["dict", "text", "builders"]
)
def test_churn_is_equal_in_all_forms(source):
    space = load_space(FILE)
    other = load_space(source)
    assert (space.name, space.about) == ("churn", "One line for people.")
    assert other.digest() == space.digest()
    assert other.initial_params == space.initial_params
    assert not space.diff(other)
    assert load_space(space.to_yaml()) == space


def test_churn_size_and_schema():
    space = load_space(FILE)
    assert space.size().points is None
    assert space.size().dimensions == {"linear": 17, "mlp": 15, "decision_tree": 4, "my_forest": 5}
    assert space.fidelity == {"model.linear.max_epochs": (5, 100), "model.mlp.max_epochs": (5, 100)}
    schema = json_schema(vocabulary())
    Draft202012Validator(schema).validate(yaml.safe_load(FILE.read_text()))


def test_churn_proposals():
    space = load_space(FILE)
    study = optuna.create_study(sampler=make_sampler(None, 0))
    study.enqueue_trial(space.initial_params[0])
    families = set()
    for number in range(40):
        trial = study.ask()
        configuration = space.suggest(trial)
        (family,) = configuration["model"]
        params = space.params(configuration)
        if not number:
            assert (family, params["model.linear.learning_rate"]) == ("linear", 0.01)
            assert params["model.linear.optimizer"] == "adam"
        both = params.get("model.linear.loss"), params.get("model.linear.optimizer")
        assert bool(space.forbidden(configuration)) == (both == ("hinge", "adam"))
        families.add(family)
        study.tell(trial, float(number))
    assert families == {"linear", "mlp", "decision_tree", "my_forest"}


def test_churn_specialises():
    space = load_space(FILE)
    left = space.specialise(
        "binary", incompatibility_check(Problem("binary", 2), metric_for("neg_log_loss", "binary", 2))
    )
    assert not any("hinge" in str(left.sample(np.random.default_rng(seed))) for seed in range(50))
    several = space.specialise(
        "multiclass", incompatibility_check(Problem("multiclass", 3), metric_for(None, "multiclass", 3))
    )
    assert list(several.size().dimensions) == ["mlp", "decision_tree", "my_forest"]
