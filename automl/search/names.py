"""Names of studies and of registered models, made of the name of the target."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from threading import Lock

__all__ = ["new_name", "plain_name"]

_MAX_BYTES = 120  # of a name; file systems allow 255, and endings are added
_DIGEST = 8  # characters that keep names apart which are equal otherwise

_lock = Lock()
_last = datetime.min


def plain_name(name: str) -> str:
    """Return a name that files, studies and models may have: letters of any alphabet, digits, ``_``, ``.``, ``-``.

    Names stay apart: one without any such character, or one that is cut, ends with a digest of the whole.

    Examples
    --------
    >>> plain_name("arr_delay"), plain_name("late?"), plain_name("価格"), plain_name("%%")
    ('arr_delay', 'late', '価格', 'target-3a6e1a1b')
    """
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    encoded = plain.encode("utf-8", "ignore")
    if plain and len(encoded) <= _MAX_BYTES:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGEST]
    return f"{encoded[:_MAX_BYTES].decode('utf-8', 'ignore') or 'target'}-{digest}"


def new_name(target: str) -> str:
    """Return a name for a study, made of the target and the time; no name twice in a process."""
    global _last
    with _lock:
        _last = max(datetime.now(), _last + timedelta(microseconds=1))
        return f"{plain_name(target)}-{_last:%Y%m%d-%H%M%S-%f}"
