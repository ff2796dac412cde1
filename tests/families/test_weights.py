"""Row weights count in the training of every family."""

from __future__ import annotations

import numpy as np
import pytest

from automl.families import FAMILIES, Fold, Problem
from automl.families.estimator_family import EstimatorFamily
from automl.families.label_encoding import LabelEncodedClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3)).astype(np.float32)
SIGNAL = X[:, 0] + 0.5 * X[:, 1]
WRONG = np.arange(240) % 3 > 0  # most rows, but of weight 0
WEIGHT = np.where(WRONG, 0.0, 3.0)
SMALL = {"max_epochs": 20, "learning_rate": 0.1, "n_estimators": 40, "max_iter": 40}
SHORT = {"linear": {"learning_rate": 0.1}, "mlp": {"learning_rate": 0.05}}
FOREIGN = {
    "extra_tree": EstimatorFamily("extra_tree", "sklearn.tree.ExtraTreeClassifier"),
    "gaussian_nb": EstimatorFamily("gaussian_nb", "sklearn.naive_bayes.GaussianNB"),
}


def params_of(name, family):
    known = family.section.parameters
    return {key: value for key, value in {**SMALL, **SHORT.get(name, {})}.items() if key in known}


def target(n_classes):
    """Return codes or numbers that are wrong where the weight is 0."""
    codes = np.digitize(SIGNAL, [0.0] if n_classes == 2 else [-0.6, 0.6])
    if not n_classes:
        return np.where(WRONG, -SIGNAL, SIGNAL), SIGNAL
    return np.where(WRONG, (codes + 1) % n_classes, codes), codes


def agreement(values, true, n_classes):
    return np.mean(values == true) if n_classes else np.corrcoef(values, true)[0, 1]


@pytest.mark.parametrize("n_classes", [2, 3, 0])
@pytest.mark.parametrize("name", [*FAMILIES, *FOREIGN])
def test_rows_of_weight_zero_do_not_count(name, n_classes):
    family = FAMILIES.get(name) or FOREIGN[name]
    problem = Problem({2: "binary", 3: "multiclass", 0: "regression"}[n_classes], n_classes, weighted=True)
    params = params_of(name, family)
    if family.incompatibility(params, problem):
        pytest.skip("not for this task")
    y, true = target(n_classes)
    found = {}
    for weight in (None, WEIGHT):
        fold = Fold(X, y, (0, 0), X_valid=X, y_valid=y, weight=weight, weight_valid=weight)
        trainer = family.trainer([params], [0], problem, fold)
        assert trainer.advance(family.last_rung(params, 1), lambda: False)
        (predictions,) = trainer.predict(X)
        model = family.estimator(params, 0, problem).fit(X, y, sample_weight=weight)
        found[weight is None] = [
            agreement(values, true, n_classes)
            for values in (predictions.values, model.predict(X), trainer.estimator(0).predict(X))
        ]
    assert max(found[True]) < 0.6
    assert min(found[False]) > 0.75


def test_class_without_weights_is_excluded():
    neighbours = EstimatorFamily("neighbours", "sklearn.neighbors.KNeighborsClassifier")
    assert neighbours.incompatibility({}, Problem("binary", 2)) == ""
    reason = neighbours.incompatibility({}, Problem("binary", 2, weighted=True))
    assert reason == "KNeighborsClassifier takes no row weights"


def test_label_encoded_classifier_takes_weights():
    from sklearn.tree import DecisionTreeClassifier

    y, true = target(2)
    labels = np.array(["a", "b"])
    model = LabelEncodedClassifier(DecisionTreeClassifier(random_state=0)).fit(
        X, labels[y], sample_weight=WEIGHT
    )
    assert (model.predict(X) == labels[true]).mean() > 0.75


def test_weights_of_samples_below_the_first_epoch_follow_their_rows():
    tree = FAMILIES["decision_tree"]
    y, true = target(2)
    order = np.random.default_rng(1).permutation(240)
    fold = Fold(X, y, (0, 0), epoch_steps=2, order=order, weight=WEIGHT)
    trainer = tree.trainer([{}], [0], Problem("binary", 2), fold)
    trainer.advance(1, lambda: False)
    (predictions,) = trainer.predict(X)
    assert (predictions.values == true).mean() > 0.75
