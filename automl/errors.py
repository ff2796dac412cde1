"""The exceptions of the package.

::

    AutomlError
    ├── InputError (ValueError)      something handed in breaks a rule; found before any training starts
    │   ├── TableError               a table or a file that holds one
    │   ├── SpaceError               a search space
    │   └── SettingError             an argument of ``Search`` or an option of the command line
    ├── StoreError (OSError)         a study or tracking store that cannot be opened or written
    └── NoModelError (RuntimeError)  no trial finished, or a run holds no model

A trial that fails is not an exception: it is a record with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = [
    "AutomlError",
    "Fault",
    "InputError",
    "NoModelError",
    "SettingError",
    "SpaceError",
    "StoreError",
    "TableError",
    "nearest",
    "without_passwords",
]


@dataclass(frozen=True)
class Fault:
    """One broken rule: where it is, what the rule says, what came, and what to do.

    Parameters
    ----------
    where : str
        The place in the user's words: a file with its line, a column, an argument.
    rule : str
        What must hold, e.g. ``"must be a column of the table"``.
    came : str
        What was found instead.
    remedy : str
        What the user can do about it; may be empty where the rule says it.

    Examples
    --------
    >>> print(Fault("timeout", "must be above 0", "-5", "Give seconds, e.g. timeout=60."))
    timeout: must be above 0; got -5. Give seconds, e.g. timeout=60.
    """

    where: str
    rule: str
    came: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}; got {self.came}.{' ' + self.remedy if self.remedy else ''}"


class AutomlError(Exception):
    """Anything this package raises on purpose; the passwords in what it says are left out."""

    def __str__(self) -> str:
        return without_passwords(super().__str__())


class InputError(AutomlError, ValueError):
    """Something handed in breaks one or more rules; all of them are listed at once.

    Parameters
    ----------
    faults : Fault or iterable of Fault
        The broken rules, at least one.
    """

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        lines = [str(fault) for fault in self.faults]
        super().__init__(lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} faults:", *lines]))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class TableError(InputError):
    """A table, or the file that should hold one, cannot be searched on."""


class SpaceError(InputError):
    """A search space that makes no sense."""


class SettingError(InputError):
    """An argument of ``Search``, or an option of the command line, outside what it accepts."""


class StoreError(AutomlError, OSError):
    """A study or tracking store that cannot be opened or written."""


class NoModelError(AutomlError, RuntimeError):
    """There is no model to give: no trial finished, or the run asked for holds none."""


def without_passwords(text: str) -> str:
    """Return a text without the passwords of the URLs in it.

    Examples
    --------
    >>> without_passwords("postgresql://ann:se%40cret@db/studies is not there")
    'postgresql://ann:***@db/studies is not there'
    """
    return re.sub(r"(://[^\s:/@]*):[^\s/]*@", r"\1:***@", text)


def nearest(word: str, known: Sequence[str]) -> str:
    """Return ``'did you mean "x"?'`` for the closest known word, or the known words themselves.

    Examples
    --------
    >>> nearest("arr_dely", ["dep_delay", "arr_delay"])
    'Did you mean "arr_delay"?'
    >>> nearest("zzz", ["a", "b"])
    'Known: a, b.'
    """
    close = get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    shown = [str(name) for name in known[:12]]
    return f"Known: {', '.join(shown)}{', ...' if len(known) > 12 else ''}."
