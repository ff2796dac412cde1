import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automl.ensemble import EnsembleClassifier, EnsembleRegressor
from automl.table import TypedColumns

X = pd.DataFrame({"a": np.arange(40) % 7, "b": ["x", "y"] * 20})
LABELS = np.array(["low", "mid", "top"])[np.arange(40) % 3]


class CountingColumns(TypedColumns):
    seen = 0

    def transform(self, X):
        type(self).seen += 1
        return super().transform(X)


def model(estimator):
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), estimator)


def classifier(columns=None):
    members = [model(LogisticRegression()), model(DecisionTreeClassifier(max_depth=2, random_state=0))]
    return EnsembleClassifier(columns or TypedColumns(), members, [3, 1]).fit(X, LABELS)


def test_classifier_averages_probabilities():
    fitted = classifier()
    typed = fitted.columns_.transform(X)
    first, second = (member.predict_proba(typed) for member in fitted.members_)
    assert np.allclose(fitted.predict_proba(X), 0.75 * first + 0.25 * second)
    assert np.allclose(fitted.predict_proba(X).sum(axis=1), 1)
    assert fitted.predict(X).tolist() == LABELS[:3][fitted.predict_proba(X).argmax(axis=1)].tolist()
    assert fitted.weights_.tolist() == [0.75, 0.25]
    assert fitted.classes_.tolist() == ["low", "mid", "top"]


def test_regressor_averages_numbers():
    members = [model(LinearRegression()), model(DecisionTreeRegressor(random_state=0))]
    fitted = EnsembleRegressor(TypedColumns(), members, [0.2, 0.2]).fit(X, np.arange(40.0))
    typed = fitted.columns_.transform(X)
    assert np.allclose(
        fitted.predict(X), np.mean([member.predict(typed) for member in fitted.members_], axis=0)
    )
    assert not hasattr(fitted, "predict_proba")


def test_ensemble_types_a_table_once():
    fitted = classifier(CountingColumns())
    CountingColumns.seen = 0
    fitted.predict(X)
    assert CountingColumns.seen == 1


def test_ensemble_of_fitted_models_shares_them():
    fitted = classifier()
    same = EnsembleClassifier.of_fitted(fitted.columns_, fitted.members_, [6, 2])
    assert same.members_[0] is fitted.members_[0]
    assert np.array_equal(same.predict_proba(X), fitted.predict_proba(X))
    again = clone(same).fit(X, LABELS)
    assert np.allclose(again.predict_proba(X), fitted.predict_proba(X))


def test_ensemble_follows_scikit_learn():
    fitted = classifier()
    assert is_classifier(fitted)
    assert is_regressor(EnsembleRegressor(TypedColumns(), [], []))
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    assert fitted.n_features_in_ == 2
    assert 0 <= fitted.score(X, LABELS) <= 1
    tags = fitted.__sklearn_tags__()
    assert tags.input_tags.categorical
    with pytest.raises(Exception, match="not fitted"):
        clone(fitted).predict(X)


@pytest.mark.parametrize("weights", [[], [1], [0, 0], [2, -1]])
def test_ensemble_refuses_weights_that_do_not_fit(weights):
    with pytest.raises(ValueError, match="weights must be"):
        clone(classifier()).set_params(weights=weights).fit(X, LABELS)


def test_ensemble_refuses_members_of_other_classes():
    fitted = classifier()
    other = clone(fitted.members_[0]).fit(fitted.columns_.transform(X), LABELS == "low")
    with pytest.raises(ValueError, match="the same classes"):
        EnsembleClassifier.of_fitted(fitted.columns_, [fitted.members_[0], other], [1, 1])
