"""Array functions of a training step, in NumPy and in Numba under the same names.

`ops` returns the module to use. A function that only Numba has is None in the NumPy module; it does several
calls in one. Both modules give the same results except for rounding. Numba keeps its compiled code beside the
module or in the user's cache folder (``NUMBA_CACHE_DIR`` names another one), so each machine compiles once.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl.descent.kernels import numpy

__all__ = ["FUSED_SETTINGS", "SWITCH", "Array", "Ops", "load_kernels", "numpy", "ops", "uses_numba"]

Array: TypeAlias = NDArray[Any]

Ops: TypeAlias = ModuleType
"""`automl.descent.kernels.numpy` or `automl.descent.kernels.numba`."""

FUSED_SETTINGS = np.dtype(
    [(name, np.float32) for name in ("beta1", "beta2", "epsilon", "nesterov", "l1", "l2", "decay", "clip")]
    + [("adapts", np.bool_)]
)
"""Settings of a trial as the kernel ``fused_step`` reads them."""

SWITCH = "AUTOML_NUMBA"
"""Environment variable; ``0`` selects NumPy."""


def uses_numba() -> bool:
    """Return whether Numba is installed and not switched off."""
    return os.environ.get(SWITCH, "1") != "0" and _installed()


@cache
def _installed() -> bool:
    return find_spec("numba") is not None


def ops() -> Ops:
    """Return the fastest module of kernels."""
    if not uses_numba():
        return numpy
    # importing Numba takes a third of a second, which only training should pay
    from automl.descent.kernels import numba

    return numba


def load_kernels() -> None:
    """Load all that training needs, so that processes forked later share its memory.

    The first call of a compiled function loads most of Numba: 35 MB in half a second.
    """
    ops().gather(np.zeros((1, 1), np.float32), np.zeros(1, np.intp), np.zeros((1, 2), np.float32))
