"""The texts of a column, as Arrow arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from automl.table.text_bytes import byte_at, has_byte, stripped

__all__ = ["MISSING", "Texts", "as_texts_array", "expand", "is_missing", "matches", "spread"]

# Texts for "missing" in columns of numbers, truth values and dates. Among categories only a blank is missing:
# "NA" or "None" can be a category.
MISSING = frozenset(
    ("", "na", "n/a", "nan", "-nan", "nat", "null", "none", "missing", "?", "-", "--", ".", "\\n")
    + ("<na>", "#na", "#n/a", "#n/a n/a", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!")
    + ("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
)
_MISSING = pa.array(sorted(MISSING), pa.large_string())
_STARTS = np.zeros(256, bool)  # their first bytes, in both cases; 0 for a blank
_STARTS[0] = True
for _word in MISSING - {""}:
    _STARTS[[ord(_word[0]), ord(_word[0].upper())]] = True
_STARTS[ord("1")] = False  # "1.#ind" is looked for where a text has "#"

_SEED = 0
_FEW = 10_000  # texts that are always reduced to distinct ones
_SAMPLE = 1_000
_SAMPLE_OF_ROOT = 20  # with n rows, a sample of 20 sqrt(n) finds one repeated text in a hundred


@dataclass(frozen=True)
class Texts:
    """The texts of a column, without surrounding blanks.

    Parameters
    ----------
    values : Array of str, shape (m,)
        Texts, none missing. Those of no row may be among them.
    codes : ndarray of shape (n,) or None
        Position of each row's text in ``values``, -1 where missing or blank; None if ``values`` are the rows.
    encoded : bool
        Whether ``values`` has each text once, or almost, as in a column whose texts repeat often.
    """

    values: pa.Array
    codes: np.ndarray | None
    encoded: bool = True

    @classmethod
    def of(cls, cells: pa.Array) -> Texts:
        """Return the texts of an array, encoded if they repeat often or are few."""
        cells = stripped(cells)
        blank = pc.equal(pc.binary_length(cells), 0)
        if pc.any(blank).as_py():
            cells = pc.if_else(blank, None, cells)
        sample = spread(cells, _SAMPLE)
        if len(cells) <= _FEW or 2 * pc.count_distinct(sample).as_py() < len(sample):
            return cls._encoded(cells)
        if not cells.null_count:
            return cls(cells, None, encoded=False)
        present = pc.is_valid(cells).to_numpy(zero_copy_only=False)
        return cls(cells.drop_null(), np.where(present, np.cumsum(present) - 1, -1), encoded=False)

    @classmethod
    def of_codes(cls, texts: list[str], codes: np.ndarray) -> Texts:
        """Return the texts with these codes, -1 where missing."""
        values = pa.array(texts, pa.large_string())
        blank = np.array([text == "" for text in texts] + [False])
        return cls(values, np.where(blank[codes], -1, codes) if blank.any() else codes)

    @classmethod
    def _encoded(cls, cells: pa.Array) -> Texts:
        coded = cells.dictionary_encode()
        return cls(coded.dictionary, coded.indices.fill_null(-1).to_numpy())

    @cached_property
    def distinct(self) -> Texts:
        """The same texts, each once."""
        again = self._encoded(self.values)
        if len(again.values) == len(self.values) and self.encoded:
            return self
        return Texts(again.values, expand(self.codes, cast(np.ndarray, again.codes), -1))

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of each text, shape (m,)."""
        if self.codes is None:
            return np.ones(len(self.values), dtype=int)
        return np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:]

    @cached_property
    def seen(self) -> list[str]:
        """Distinct texts of rows."""
        texts = self.distinct
        found: list[str] = texts.values.filter(pa.array(texts.rows > 0)).to_pylist()
        return found

    @cached_property
    def n_distinct(self) -> int:
        """Distinct texts of rows; of very many rows, all texts are taken as distinct if a large sample is."""
        n = int(_SAMPLE_OF_ROOT * np.sqrt(len(self.values)))
        if not self.encoded and 2 * n < len(self.values) and pc.count_distinct(self.sample(n)).as_py() == n:
            return len(self.values)
        return int((self.distinct.rows > 0).sum())

    @property
    def n_rows(self) -> int:
        """Rows of the column, missing ones included."""
        return len(self.values if self.codes is None else self.codes)

    def expanded(self, values: np.ndarray, missing: Any) -> np.ndarray:
        """Return the value of each row's text, shape (n,), and ``missing`` where the row has none."""
        return expand(self.codes, values, missing)

    def sample(self, n: int) -> pa.Array:
        """Return at most ``n`` texts, drawn with a fixed seed."""
        if len(self.values) <= n:
            return self.values
        rows = np.random.default_rng(_SEED).choice(len(self.values), n, replace=False)
        return self.values.take(pa.array(np.sort(rows)))


def expand(codes: np.ndarray | None, values: np.ndarray, missing: Any) -> np.ndarray:
    """Return the value of each row's code, ``missing`` where the code is -1."""
    if codes is None:
        return values
    table = np.empty(len(values) + 1, dtype=values.dtype)
    table[:-1], table[-1] = values, missing
    rows: np.ndarray = table[codes]
    return rows


def as_texts_array(texts: Any) -> pa.Array:
    """Return texts as one Arrow array."""
    found = texts
    if not isinstance(texts, pa.Array | pa.ChunkedArray):
        found = pa.array(texts, None if isinstance(texts, pd.Series) else pa.large_string())
    found = found if pa.types.is_large_string(found.type) else found.cast(pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def is_missing(texts: pa.Array) -> np.ndarray:
    """Return which texts mean "missing" in columns of numbers, dates and truth values, shape (n,)."""
    # Looking up all texts would take ten times as long as a look at their first characters.
    first = byte_at(texts, 0)
    others = _STARTS[first]
    if has_byte(texts, "#"):
        others |= first == ord("1")
    elif (minus := first == ord("-")).any():
        second = byte_at(texts, 1)
        others &= ~(minus & (second >= ord("0")) & (second <= ord("9")))
    if others.any():
        some = texts.filter(pa.array(others))
        others[others] = _plain(pc.is_in(pc.utf8_lower(some), _MISSING))
    return others


def matches(texts: pa.Array, pattern: str) -> np.ndarray:
    """Return which texts match a regular expression, shape (n,)."""
    return _plain(pc.fill_null(pc.match_substring_regex(texts, pattern), False))


def spread(texts: pa.Array, n: int) -> pa.Array:
    """Return at most ``n`` texts, at equal distances."""
    if len(texts) <= n:
        return texts
    return texts.take(pa.array(np.linspace(0, len(texts) - 1, n).astype(int)))


def _plain(mask: pa.Array) -> np.ndarray:
    found: np.ndarray = mask.to_numpy(zero_copy_only=False)
    return found if found.flags.writeable else found.copy()
