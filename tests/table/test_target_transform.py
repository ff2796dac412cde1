from __future__ import annotations

import numpy as np
import pytest

from automl.table import TARGET_TRANSFORMS, TargetTransform


@pytest.mark.parametrize("kind", TARGET_TRANSFORMS)
@pytest.mark.parametrize(
    "y", [np.exp(np.linspace(-3, 9, 50)), np.linspace(-7, 1e6, 50), np.r_[np.zeros(40), 1.0, 5.0]], ids=str
)
def test_target_transform_inverts(kind, y):
    transform = TargetTransform(kind).fit(y)
    seen = transform.transform(y)
    assert np.isfinite(seen).all()
    assert (np.diff(seen) >= 0).all()
    np.testing.assert_allclose(transform.inverse_transform(seen), y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", TARGET_TRANSFORMS)
def test_target_transform_stays_in_the_training_range(kind):
    transform = TargetTransform(kind).fit(np.array([1.0, 2.0, 50.0]))
    assert np.isfinite(transform.transform(np.array([-1.0, 0.0, 1e9]))).all()
    found = transform.inverse_transform(np.array([-1e6, 1e6]))
    np.testing.assert_allclose(found, [1.0, 50.0])


def test_target_transform_by_hand():
    np.testing.assert_allclose(
        TargetTransform().fit(np.array([1.0, 9.0])).transform(np.array([9.0])), np.log(9)
    )
    signed = TargetTransform().fit(np.array([-1.0, 0.0, 9.0]))
    np.testing.assert_allclose(signed.transform(np.array([-1.0, 0.0, 9.0])), [-np.log(2), 0, np.log(10)])
    ranks = TargetTransform("quantile").fit(np.array([5.0, 6.0, 700.0]))
    np.testing.assert_allclose(ranks.transform(np.array([6.0])), 0, atol=1e-9)
