from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from automl.descent import Training, training
from automl.descent.kernels import SWITCH

# The scripts there need optax and PyTorch, which the tests do not.
collect_ignore = ["golden"]


@pytest.fixture(scope="module", params=["numpy", "numba"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a module's tests with NumPy alone and with Numba."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, str(int(request.param == "numba")))
        yield request.param


@pytest.fixture(autouse=True)
def strict(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no number overflow, become none or vanish unnoticed, but in tests marked to be about that.

    Within a training numbers may vanish: the averages of a gradient that is zero do so.
    """
    if request.node.get_closest_marker("overflows") is not None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="raise"):
        patch.setattr(training, "DIVERGING", {"all": "raise", "under": "ignore"})
        yield


@pytest.fixture(autouse=True)
def read_only() -> Iterator[None]:
    """Hand rows, targets and weights to every training so that they cannot be written to."""
    begin = Training.__init__

    def frozen(values: Any) -> Any:
        if isinstance(values, np.ndarray):
            values = values.view()
            values.flags.writeable = False
        return values

    def init(self: Training, architecture: Any, configs: Any, X: Any, y: Any, **rest: Any) -> None:
        weight = frozen(rest.pop("sample_weight", None))
        begin(self, architecture, configs, frozen(X), frozen(y), sample_weight=weight, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "__init__", init)
        yield
