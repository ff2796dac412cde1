"""The keywords of the language."""

import io
import pickle

import numpy as np
import pytest
from rich.console import Console

from automl.errors import SpaceError
from automl.space import Branch, Choice, Float, Int, Space


def model(load, text):
    """Return the leaves of a model's only branch, as the language writes them."""
    ((_, branch),) = load(f"space:\n  model: {text}\n").to_dict()["space"]["model"]["choice"].items()
    return branch


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{l2: 1e-4}", {"l2": 0.0001}),
        ("{l2: '1e-4'}", {"l2": 0.0001}),
        ("{l2: {low: 1e-6, high: 1E0, log: true}}", {"l2": {"low": 1e-6, "high": 1.0, "log": True}}),
        ("{l2: {min: 0, max: 1}}", {"l2": {"low": 0.0, "high": 1.0}}),  # known to take fractions
        ("{max_epochs: {min: 5, max: 9}}", {"max_epochs": {"low": 5, "high": 9, "integer": True}}),
        ("{max_epochs: {low: 1e1, high: 1e2}}", {"max_epochs": {"low": 10, "high": 100, "integer": True}}),
        ("{l2: {low: 1, high: 9, integer: true}}", {"l2": {"low": 1, "high": 9, "integer": True}}),
        ("{l2: {low: 0.1, high: 0.1}}", {"l2": 0.1}),
        ("{l2: {value: 0.1}}", {"l2": 0.1}),
        ("{l2: {values: [0, 0.1]}}", {"l2": [0, 0.1]}),
        ("{l2: [0.5]}", {"l2": 0.5}),
        ("{batch_size: [32, full]}", {"batch_size": [32, "full"]}),
        ("{optimizer: adam}", {"optimizer": "adam"}),
        ("{optimizer: {value: adam}}", {"optimizer": "adam"}),
        (
            "{optimizer: {values: [sgd, adam], weights: {adam: 3}}}",
            {"optimizer": {"values": ["sgd", "adam"], "weights": [1.0, 3.0]}},
        ),
        ("{optimizer: [sgd, adam]}", {"optimizer": ["sgd", "adam"]}),
        ("{optimizer: {choice: [sgd, adam]}}", {"optimizer": ["sgd", "adam"]}),
        ("{optimizer: {adam: {beta1: 0.8}}}", {"optimizer": {"choice": {"adam": {"beta1": 0.8}}}}),
        (
            "{optimizer: [sgd, {adam: {beta1: 0.8}}]}",
            {"optimizer": {"choice": {"sgd": {}, "adam": {"beta1": 0.8}}}},
        ),
        ("{optimizer: {choice: {sgd: , adam: }}}", {"optimizer": {"choice": {"sgd": {}, "adam": {}}}}),
    ],
)
def test_value_forms(load, written, read):
    assert model(load, f"{{linear: {written}}}") == read


def test_list_is_a_choice_for_any_value(load):
    text = "space:\n  model: {hist_gradient_boosting: {extra: %s}}\n"
    written = [load(text % extra).to_dict() for extra in ("[1, 2.5, x]", "{value: [1, 2]}", "{a: 1}")]
    extras = [document["space"]["model"]["choice"]["hist_gradient_boosting"]["extra"] for document in written]
    assert extras == [[1, 2.5, "x"], {"value": [1, 2]}, {"value": {"a": 1}}]


def test_use_inserts_a_definition_under_own_keys(load):
    text = """
define:
  rate: {low: 1e-4, high: 1, log: true}
  base: {learning_rate: {use: rate}, l2: 0.1, preprocess: {numeric: {impute: mean, scale: robust}}}
  more: {l2: 0.5, dropout: 0.25}
space:
  model:
    choice:
      linear: {use: base, l2: {low: 0, high: 1}, preprocess: {numeric: {scale: [standard, minmax]}}}
      mlp: {use: [base, more], learning_rate: {use: rate, high: 0.1}}
"""
    choice = load(text).to_dict()["space"]["model"]["choice"]
    assert choice["linear"] == {
        "learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
        "l2": {"low": 0.0, "high": 1.0},
        "preprocess": {"numeric": {"impute": "mean", "scale": ["standard", "minmax"]}},
    }
    assert choice["mlp"]["l2"] == 0.5
    assert choice["mlp"]["dropout"] == 0.25
    assert choice["mlp"]["learning_rate"]["high"] == 0.1


def test_include_merges_files_under_the_including_one(load, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "common.yaml").write_text("define:\n  descent: {l2: 0.1, optimizer: sgd}\n")
    (tmp_path / "base.yaml").write_text(
        "include: parts/common.yaml\nname: base\nspace:\n  preprocess: {numeric: {scale: robust}}\n"
        "  model: {linear: {use: descent}}\nforbid:\n  - {l2: 0.3}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "include: [base.yaml]\ndefine:\n  descent: {optimizer: [sgd, adam]}\n"
        "space: {model: {linear: {l2: [0.2, 0.3]}}}\nforbid:\n  - {l2: 0.2, optimizer: sgd}\n"
    )
    document = load(tmp_path / "mine.yaml").to_dict()
    assert document["name"] == "base"
    assert document["space"] == {
        "preprocess": {"numeric": {"scale": "robust"}},
        "model": {"choice": {"linear": {"l2": [0.2, 0.3], "optimizer": ["sgd", "adam"]}}},
    }
    assert len(document["forbid"]) == 2


RULES = """
space:
  model:
    choice:
      linear:
        optimizer: {choice: {sgd: {}, adam: {beta1: [0.8, 0.9]}}}
        loss: [logistic, hinge]
        learning_rate: {low: 0.001, high: 1, log: true}
        batch_size: [16, 64, full]
      mlp: {hidden_layer_sizes: [[64], [128, 64]], learning_rate: {low: 0.01, high: 1}}
forbid:
  - {model: linear, loss: hinge, optimizer: adam}
  - {linear.learning_rate: {above: 0.1}, batch_size: {below: 32}}
  - {hidden_layer_sizes: [64], learning_rate: {above: 0.5, below: 0.6}}
  - {batch_size: [full, 64], loss: hinge}
enqueue:
  - {model: linear, optimizer: adam, learning_rate: 0.01}
  - {model: {linear: {optimizer: {adam: {beta1: 0.9}}, batch_size: full}}}
  - {learning_rate: 0.02}
"""


@pytest.mark.parametrize(
    ("family", "values", "rule"),
    [
        (
            "linear",
            {"loss": "hinge", "optimizer": {"adam": {"beta1": 0.8}}, "batch_size": 16},
            "loss: hinge, opt",
        ),
        ("linear", {"loss": "hinge", "optimizer": {"sgd": {}}, "batch_size": 16}, ""),
        ("linear", {"learning_rate": 0.2, "batch_size": 16}, "above: 0.1"),
        ("linear", {"learning_rate": 0.1, "batch_size": 16}, ""),
        ("linear", {"learning_rate": 0.2, "batch_size": "full"}, ""),
        ("linear", {"loss": "hinge", "batch_size": "full"}, "[full, 64]"),
        ("mlp", {"hidden_layer_sizes": [64], "learning_rate": 0.55}, "below: 0.6"),
        ("mlp", {"hidden_layer_sizes": [128, 64], "learning_rate": 0.55}, ""),
    ],
)
def test_forbidden_names_the_rule(load, family, values, rule):
    linear = {"optimizer": {"sgd": {}}, "loss": "logistic", "learning_rate": 0.01, "batch_size": 16}
    configuration = {"model": {family: (linear if family == "linear" else {}) | values}}
    space = load(RULES)
    found = space.forbidden(configuration)
    assert rule in found
    assert bool(rule) == bool(found) == (not space.accepts(configuration))


def test_sample_and_grid_skip_forbidden_points(load):
    space = load(RULES)
    rng = np.random.default_rng(0)
    drawn = [*(space.sample(rng) for _ in range(300)), *space.grid(3)]
    assert not any(space.forbidden(configuration) for configuration in drawn)
    free = load(RULES[: RULES.index("forbid")])
    assert len(list(space.grid(3))) < len(list(free.grid(3)))


def test_initial_params_are_optuna_parameters(load):
    assert load(RULES).initial_params == (
        {"model": "linear", "model.linear.optimizer": "adam", "model.linear.learning_rate": 0.01},
        {
            "model": "linear",
            "model.linear.optimizer": "adam",
            "model.linear.optimizer.adam.beta1": 0.9,
            "model.linear.batch_size": "full",
        },
        {"model.linear.learning_rate": 0.02, "model.mlp.learning_rate": 0.02},
    )


def test_yaml_keeps_rules_and_initial_points(load):
    space = load(RULES)
    again = load(space.to_yaml())
    assert again == space
    assert again.initial_params == space.initial_params
    assert load(RULES.replace("above: 0.1}", "above: 0.2}")).digest() != space.digest()


ESTIMATOR = """
space:
  preprocess: {numeric: {scale: standard}}
  model:
    choice:
      linear: {l2: 0.1}
      my_forest:
        estimator: sklearn.ensemble.ExtraTreesClassifier
        preprocess: {numeric: {scale: none}}
        n_estimators: {low: 50, high: 500, step: 50}
        max_features: [sqrt, {low: 0.1, high: 1.0}]
        bootstrap: [true, false]
"""


def test_estimator_is_checked_by_its_parameters(load):
    space = load(ESTIMATOR)
    rng = np.random.default_rng(0)
    forests = [c for c in (space.sample(rng) for _ in range(60)) if "my_forest" in c["model"]]
    for configuration in forests:
        forest = configuration["model"]["my_forest"]
        assert forest["estimator"] == "sklearn.ensemble.ExtraTreesClassifier"
        assert forest["n_estimators"] in range(50, 501, 50)
        assert "preprocess" not in configuration
    assert {type(c["model"]["my_forest"]["max_features"]) for c in forests} == {str, float}
    assert load(space.to_yaml()) == space


def test_size_counts_points_and_dimensions(load):
    text = """
space:
  preprocess: {numeric: {impute: [median, mean], scale: [standard, robust]}}
  model:
    choice:
      linear: {optimizer: {choice: {sgd: {}, momentum: {nesterov: [true, false]}}}, batch_size: [16, 32]}
      decision_tree: {preprocess: {}, max_depth: [null, {low: 2, high: 6}]}
"""
    size = load(text).size()
    assert size.points == 4 * 3 * 2 + 6
    assert size.dimensions == {"linear": 5, "decision_tree": 2}
    endless = load(
        "space:\n  model: {linear: {l2: {low: 0, high: 1}, max_epochs: {low: 5, high: 9, fidelity: true}}}"
    )
    assert (endless.size().points, endless.size().dimensions) == (None, {"linear": 1})
    assert endless.fidelity == {"model.linear.max_epochs": (5, 9)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("l2: {low: 1e-4, high: 1, log: true}", [1e-4, 1e-3, 1e-2, 0.1, 1]),
        ("l2: {low: 0, high: 2}", [0, 0.5, 1, 1.5, 2]),
        ("l2: {low: 0, high: 2, step: 0.1}", [0, 0.5, 1, 1.5, 2]),
        ("l2: {low: 0.1, high: 0.3, step: 0.1}", [0.1, 0.2, 0.3]),
        ("batch_size: {low: 1, high: 3}", [1, 2, 3]),
        ("batch_size: {low: 1, high: 16, log: true}", [1, 2, 4, 8, 16]),
        ("max_epochs: {low: 5, high: 100, fidelity: true}", [100]),
        ("l2: [0, {low: 1, high: 5}]", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_grid_follows_the_scale_of_a_range(load, text, values):
    space = load(f"space:\n  model: {{linear: {{{text}}}}}")
    found = [next(iter(configuration["model"]["linear"].values())) for configuration in space.grid(5)]
    assert found == pytest.approx(values)


def test_grid_of_one_is_the_middle(load):
    space = load("space:\n  model: {linear: {l2: {low: 0.01, high: 1, log: true}, l1: {low: 0, high: 1}}}")
    (configuration,) = space.grid(1)
    assert configuration["model"]["linear"] == pytest.approx({"l2": 0.1, "l1": 0.5})


def test_builders_equal_yaml(load):
    text = """
name: churn
space:
  model:
    choice:
      linear: {learning_rate: {low: 1e-4, high: 1, log: true}, batch_size: [32, full]}
      mlp: {hidden_layer_sizes: [[64], [128, 64]], max_epochs: {low: 5, high: 50, fidelity: true}}
      decision_tree: {max_depth: {low: 2, high: 20, step: 2}}
    weights: {mlp: 3}
"""
    built = {
        "name": "churn",
        "space": {
            "model": Branch(
                linear={"learning_rate": Float(1e-4, 1, log=True), "batch_size": Choice(32, "full")},
                mlp={
                    "hidden_layer_sizes": Choice([64], [128, 64]),
                    "max_epochs": Int(5, 50, fidelity=True),
                },
                decision_tree={"max_depth": Int(2, 20, step=2)},
                weights={"mlp": 3},
            )
        },
    }
    assert load(built) == load(text)
    assert load(built).digest() == load(text).digest()


def test_space_pickles(load):
    space = load(RULES)
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert hash(again) == hash(space)
    assert again != load(RULES.replace("enqueue:", "about: the same points\nenqueue:"))


def test_load_space_returns_a_space_unchanged(load):
    space = load("space: {model: linear}\n")
    assert isinstance(space, Space)
    assert load(space) is space


@pytest.mark.parametrize("source", ["tabulr", "no/such.yaml", "\x00", "", "a" * 5000, 3, None, "."])
def test_load_space_rejects_missing_sources(load, source):
    with pytest.raises(SpaceError, match="must be"):
        load(source)


@pytest.mark.parametrize(
    ("configuration", "fault"),
    [
        ({}, "model: must be given"),
        ({"model": {"linear": {"l2": 0.5}, "mlp": {}}}, "model: must be a mapping with one key"),
        (
            {"model": {"liner": {"l2": 0.5}}},
            'model: must be one of linear, mlp; got liner. Did you mean "linear"',
        ),
        ({"model": {"linear": {"l2": 5}}}, "model.linear.l2: must be a number from 0 to 1; got 5"),
        ({"model": {"linear": {"l2": "x"}}}, "got x"),
        ({"model": {"linear": {"l2": float("nan")}}}, "got nan"),
        ({"model": {"linear": 7}}, "must be a mapping"),
        (
            {"model": {"linear": {"l2": 0.5, "l3": 1}}},
            "model.linear.l3: must be a key of model.linear; got l3",
        ),
        (7, "configuration: must be a mapping"),
    ],
)
def test_validate_rejects_points_outside(load, configuration, fault):
    space = load("space:\n  model: {choice: {linear: {l2: {low: 0, high: 1}}, mlp: {}}}")
    with pytest.raises(SpaceError) as caught:
        space.validate(configuration)
    assert fault in str(caught.value)


def test_structure_has_structural_values(load):
    text = (
        "space:\n  preprocess: {numeric: {scale: standard}}\n  model: {linear: {loss: hinge, l2: [0.1, 1]}}\n"
    )
    space = load(text, structural=lambda path: not path.endswith("l2"))
    assert space.structure(space.sample(np.random.default_rng(0))) == {
        "preprocess.numeric.scale": "standard",
        "model": "linear",
        "model.linear.loss": "hinge",
    }


def test_describe_shows_all_values(load):
    text = io.StringIO()
    Console(file=text, width=100).print(load(f"about: now [and] then\n{RULES}").describe())
    for words in (
        "now [and] then",
        "model one of",
        "linear",
        "beta1  0.8 | 0.9",
        "learning_rate  0.001 to 1, log",
        "[128, 64]",
    ):
        assert words in text.getvalue()
