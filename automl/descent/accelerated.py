"""Numba where it is installed: whoever asks for the `fastest` of a function or class gets its compiled twin.

A twin has the signature of the NumPy code it stands for and the same results but for rounding. Compiled code is
kept by Numba beside the module or, where nothing may be written there, in the user's cache folder
(``NUMBA_CACHE_DIR`` names another), so that it is compiled once for a machine and read by every later process.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar, cast

__all__ = ["SWITCH", "fastest", "uses_numba"]

SWITCH = "AUTOML_NUMBA"
"""The environment variable that says ``0`` where NumPy alone is wanted."""

T = TypeVar("T")


def uses_numba() -> bool:
    """Return whether compiled twins are in use: Numba is installed and not switched off."""
    return os.environ.get(SWITCH, "1") != "0" and _installed()


@cache
def _installed() -> bool:
    return find_spec("numba") is not None


def fastest(what: T) -> T:
    """Return the compiled twin of a function or class, or itself where there is none or no Numba."""
    if not uses_numba():
        return what
    # importing Numba takes a third of a second, and only training wants it
    from automl.descent.compiled import TWINS

    return cast(T, TWINS.get(cast(Any, what), what))
