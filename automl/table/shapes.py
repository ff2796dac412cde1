"""The shapes of texts: the texts with every digit as 9. Columns of numbers have few, on which patterns are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from automl.table.text_bytes import text_bytes, translated
from automl.table.texts import matches, spread

__all__ = ["Shapes", "digits_as_number"]

_DIGITS_AS_9 = bytes(ord("9") if chr(byte).isdigit() and byte < 128 else byte for byte in range(256))
_SAMPLE = 1_000
_MOST = 50  # shapes of a sample; more of them do not pay
_LEAST = 1_000  # texts; fewer of them do not pay
_EXACT = 15  # digits that a float64 holds exactly
_POWERS = 10.0 ** np.arange(_EXACT + 1)


@dataclass(frozen=True)
class Shapes:
    """The shapes of texts.

    Parameters
    ----------
    texts : Array of str, shape (n,)
        The texts.
    values : Array of str, shape (m,)
        The shapes, each once.
    codes : ndarray of shape (n,)
        The shape of each text.

    Examples
    --------
    >>> shapes = Shapes.of(pa.array(["$1,200", "$3,450", "$7"] * 400, pa.large_string()))
    >>> shapes.values.to_pylist()
    ['$9,999', '$9']
    """

    texts: pa.Array
    values: pa.Array
    codes: np.ndarray

    @classmethod
    def of(cls, texts: pa.Array) -> Shapes | None:
        """Return the shapes of texts; None if the texts are few, or their shapes many."""
        if len(texts) < _LEAST or texts.null_count:
            return None
        if len(translated(spread(texts, _SAMPLE), _DIGITS_AS_9).unique()) > _MOST:
            return None
        found = translated(texts, _DIGITS_AS_9).dictionary_encode()
        return cls(texts, found.dictionary, found.indices.to_numpy())

    def matches(self, pattern: str) -> np.ndarray:
        """Return which texts match a pattern that makes no difference between digits, shape (n,)."""
        rows: np.ndarray = matches(self.values, pattern)[self.codes]
        return rows

    def groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each shape and the positions of its texts."""
        order = np.argsort(self.codes.astype(np.min_scalar_type(len(self.values))), kind="stable")
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.values)))
        yield from zip(self.values.to_pylist(), np.split(order, ends[:-1]), strict=True)


def digits_as_number(texts: pa.Array, shape: str, rows: np.ndarray, decimal: str) -> np.ndarray | None:
    """Return the digits of texts of one shape as numbers, whatever stands between them; None if they are too many.

    Parameters
    ----------
    texts : Array of str, shape (n,)
        The texts.
    shape : str
        The shape.
    rows : ndarray of int, shape (m,)
        The positions of the texts of this shape.
    decimal : str
        The character after which digits are a fraction.

    Returns
    -------
    ndarray of shape (m,)
        The float64 numbers nearest to the decimal ones.
    """
    whole = shape.encode()
    places = [i for i, byte in enumerate(whole) if byte == ord("9")]
    if len(places) > _EXACT:
        return None
    offsets, data = text_bytes(texts)
    start = offsets[:-1][rows]
    found = np.zeros(len(rows), np.int64)
    for place in places:
        found *= 10
        found += data[start + place]
        found -= ord("0")
    point = whole.rfind(decimal.encode())
    n_fraction = sum(place > point for place in places) if point >= 0 else 0
    numbers: np.ndarray = found / _POWERS[n_fraction]
    return numbers
