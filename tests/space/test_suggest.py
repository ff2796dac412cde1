"""Proposals of a space, by Optuna trials and at random."""

import numpy as np
import optuna
import pytest

from automl.errors import SpaceError

optuna.logging.set_verbosity(optuna.logging.WARNING)

EVERYTHING = """
space:
  preprocess: {numeric: {scale: [standard, robust]}}
  model:
    choice:
      linear:
        optimizer: {choice: {sgd: {}, adam: {beta1: 0.9, beta2: {low: 0.9, high: 0.99}}}}
        loss: [logistic, hinge]
        learning_rate: {low: 1e-4, high: 1, log: true}
        l1: [0, {low: 1e-6, high: 0.1, log: true}]
        l2: {low: 0, high: 1, step: 0.25}
        batch_size: [32, 256, full]
        max_epochs: {low: 5, high: 100, fidelity: true}
      mlp:
        hidden_layer_sizes: [[64], [128, 64]]
      decision_tree:
        preprocess: {numeric: {scale: none}}
        max_depth: [{low: 2, high: 20}, null]
        min_samples_leaf: {low: 10, high: 100, step: 30}
"""


def test_suggest_asks_by_path(load):
    trial = optuna.trial.FixedTrial(
        {
            "model": "linear",
            "preprocess.numeric.scale": "robust",
            "model.linear.optimizer": "adam",
            "model.linear.optimizer.adam.beta2": 0.95,
            "model.linear.loss": "hinge",
            "model.linear.learning_rate": 0.5,
            "model.linear.l1": "1e-06..0.1",
            "model.linear.l1.range": 0.01,
            "model.linear.l2": 0.75,
            "model.linear.batch_size": "full",
        }
    )
    space = load(EVERYTHING)
    configuration = space.suggest(trial)
    assert configuration == {
        "preprocess": {"numeric": {"scale": "robust"}},
        "model": {
            "linear": {
                "optimizer": {"adam": {"beta1": 0.9, "beta2": 0.95}},
                "loss": "hinge",
                "learning_rate": 0.5,
                "l1": 0.01,
                "l2": 0.75,
                "batch_size": "full",
                "max_epochs": 100,
            }
        },
    }
    params = space.params(configuration)
    assert params["model"] == "linear"
    assert params["model.linear.optimizer.adam.beta1"] == 0.9
    assert params["model.linear.l1"] == 0.01
    assert len(params) == 11


def test_suggest_encodes_lists_as_text(load):
    trial = optuna.trial.FixedTrial(
        {"model": "mlp", "preprocess.numeric.scale": "robust", "model.mlp.hidden_layer_sizes": "[128, 64]"}
    )
    assert load(EVERYTHING).suggest(trial)["model"] == {"mlp": {"hidden_layer_sizes": [128, 64]}}


def test_suggest_skips_hidden_preprocessing(load):
    trial = optuna.trial.FixedTrial(
        {
            "model": "decision_tree",
            "model.decision_tree.max_depth": None,
            "model.decision_tree.min_samples_leaf": 70,
        }
    )
    space = load(EVERYTHING)
    configuration = space.suggest(trial)
    own = {"preprocess": {"numeric": {"scale": "none"}}, "max_depth": None, "min_samples_leaf": 70}
    assert configuration == {"model": {"decision_tree": own}}
    with pytest.raises(SpaceError, match="preprocess: must be a key of the space"):
        space.validate({"preprocess": {"numeric": {"scale": "robust"}}, **configuration})


def test_suggest_reaches_all_branches(load):
    space = load(EVERYTHING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    families = set()
    for number in range(40):
        trial = study.ask()
        configuration = space.suggest(trial)
        space.validate(configuration)
        families |= configuration["model"].keys()
        study.tell(trial, float(number % 7))
    assert families == {"linear", "mlp", "decision_tree"}


def test_sample_follows_the_distributions(load):
    space = load(EVERYTHING)
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(3000)]
    for configuration in drawn[:300]:
        space.validate(configuration)
    linear = [c["model"]["linear"] for c in drawn if "linear" in c["model"]]
    trees = [c["model"]["decision_tree"] for c in drawn if "decision_tree" in c["model"]]
    assert abs(len(linear) / len(drawn) - 1 / 3) < 0.05
    rates = np.log10([c["learning_rate"] for c in linear])
    assert abs(rates.mean() + 2) < 0.15  # the middle of 1e-4 .. 1 in powers of ten
    assert {c["l2"] for c in linear} == {0, 0.25, 0.5, 0.75, 1}
    assert {c["min_samples_leaf"] for c in trees} == {10, 40, 70, 100}
    depths = [c["max_depth"] for c in trees if c["max_depth"] is not None]
    assert set(depths) == set(range(2, 21))
    assert abs(depths.count(2) - depths.count(10)) < 25  # the ends are as likely as the middle


@pytest.mark.parametrize(
    ("text", "option", "share"),
    [
        ("{choice: {linear: {}, mlp: {}}, weights: {linear: 3}}", "linear", 0.75),
        ("{choice: {linear: {}, mlp: {}}, weights: [0.7, 0.3]}", "linear", 0.7),
    ],
)
def test_weights_are_the_prior(load, text, option, share):
    space = load(f"space:\n  model: {text}")
    rng = np.random.default_rng(0)
    assert abs(np.mean([option in space.sample(rng)["model"] for _ in range(4000)]) - share) < 0.03
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert abs(np.mean([option in space.suggest(study.ask())["model"] for _ in range(600)]) - share) < 0.06


def test_sample_is_repeatable_and_returns_copies(load):
    space = load("space: {model: {mlp: {hidden_layer_sizes: [[64, 32]]}}}\n")
    first, second = (space.sample(np.random.default_rng(1)) for _ in range(2))
    assert first == second
    first["model"]["mlp"]["hidden_layer_sizes"].append(1)
    assert space.sample(np.random.default_rng(1)) == second
