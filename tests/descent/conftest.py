from __future__ import annotations

from collections.abc import Iterator

import pytest

from automl.descent.accelerated import SWITCH

# The scripts there need optax and PyTorch, which the tests do not.
collect_ignore = ["golden"]


@pytest.fixture(scope="module", params=["numpy", "numba"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a module's tests with NumPy alone and with Numba."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, str(int(request.param == "numba")))
        yield request.param
