"""The shape letters of the room and its array type.

``k`` trials of a cohort, ``n`` rows of a batch, ``d`` features, ``h`` hidden units, ``c`` outputs, ``p``
parameters of one trial. Outputs are ``(k, c, n)``: classes before rows, so that a softmax runs along whole
rows of memory.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

__all__ = ["Array"]

Array: TypeAlias = NDArray[Any]
