"""The bytes of texts in an Arrow array: quick questions about all texts, before slower ones about some."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["byte_at", "has_byte", "replace_byte", "stripped", "text_bytes", "translated"]

_NONE = np.zeros(1, np.uint8)
_INNER = np.zeros(256, bool)  # bytes that are no blank and no part of one
_INNER[33:127] = True


def text_bytes(texts: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the positions of ``n`` large_string texts, shape (n + 1,), and the bytes that they are positions in."""
    if len(texts) == 0:
        return np.zeros(1, np.int64), _NONE
    _, offsets, data = texts.buffers()
    found = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return found, np.frombuffer(data, np.uint8) if data is not None and data.size else _NONE


def byte_at(texts: pa.Array, position: int | np.ndarray) -> npt.NDArray[np.uint8]:
    """Return the byte of each text at a position, from its end if negative, shape (n,); 0 where it is too short."""
    offsets, data = text_bytes(texts)
    start, end = offsets[:-1], offsets[1:]
    places = (start if np.ndim(position) or position >= 0 else end) + position
    inside = (places >= start) & (places < end)
    if inside.all():
        return data[places]
    return np.where(inside, data[np.where(inside, places, 0)], 0).astype(np.uint8)


def has_byte(texts: pa.Array, character: str) -> bool:
    """Return whether a text has an ASCII character."""
    offsets, data = text_bytes(texts)
    return bool((data[offsets[0] : offsets[-1]] == ord(character)).any())


def replace_byte(texts: pa.Array, old: str, new: str) -> pa.Array:
    """Return texts with another ASCII character for one."""
    table = bytearray(range(256))
    table[ord(old)] = ord(new)
    return translated(texts, bytes(table))


def translated(texts: pa.Array, table: bytes) -> pa.Array:
    """Return texts with other bytes, by a table of 256."""
    validity, offsets, data = texts.buffers()
    if data is None:
        return texts
    changed = pa.py_buffer(bytes(memoryview(data)).translate(table))
    return pa.Array.from_buffers(
        texts.type, len(texts), [validity, offsets, changed], texts.null_count, texts.offset
    )


def stripped(texts: pa.Array) -> pa.Array:
    """Return texts without surrounding blanks; texts that have none are not copied."""
    offsets, _ = text_bytes(texts)
    ends = (_INNER[byte_at(texts, position)] for position in (0, -1))
    if all((inner | (np.diff(offsets) == 0)).all() for inner in ends):
        return texts
    trimmed: Any = pc.utf8_trim_whitespace(texts)
    return trimmed
