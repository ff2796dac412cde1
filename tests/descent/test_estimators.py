from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from automl.descent import GradientDescentClassifier, GradientDescentRegressor

# scikit-learn's own SGDClassifier and SGDRegressor except the same check for the same reason.
EXCEPTED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "batches of weighted rows are not those of repeated rows"
    for kind in ("dense", "sparse")
}


@parametrize_with_checks(
    [GradientDescentClassifier(learning_rate=0.01), GradientDescentRegressor(learning_rate=0.01)],
    expected_failed_checks=lambda model: EXCEPTED,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
