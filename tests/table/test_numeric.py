from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

from automl.table import Numbers

REFERENCES = {
    "standard": StandardScaler(),
    "robust": RobustScaler(),
    "minmax": MinMaxScaler(),
    "none": FunctionTransformer(),
}


@pytest.mark.parametrize("scale", REFERENCES)
@pytest.mark.parametrize("impute", ["median", "mean", "most_frequent"])
def test_numbers_agree_with_scikit_learn(impute, scale):
    rng = np.random.default_rng(0)
    X = rng.normal([0, 1e6, -3], [1, 10, 1e-3], size=(10_001, 3)).round(4)
    X[rng.random(X.shape) < 0.1] = np.nan
    reference = make_pipeline(SimpleImputer(strategy=impute), REFERENCES[scale]).fit(X[:9_000])
    numbers = Numbers(impute, scale).fit(pd.DataFrame(X[:9_000]).set_axis(list("abc"), axis=1))
    np.testing.assert_allclose(numbers.transform(X), reference.transform(X), rtol=1e-6, atol=1e-6)
    assert numbers.get_feature_names_out().tolist() == ["a", "b", "c"]


def test_columns_without_spread_stay_tame():
    X = np.column_stack(
        [np.full(10, 0.1), np.r_[np.zeros(9), 1e6], np.full(10, np.nan), np.r_[np.full(9, 1e300), np.nan]]
    )
    for scale in ("standard", "robust", "minmax"):
        assert np.abs(Numbers("median", scale).fit_transform(X)).max() < 10
    assert Numbers("mean", "none").fit_transform(X)[0, 3] == np.finfo(np.float32).max
