"""The exceptions of the package.

::

    AutomlError
    ├── InputError (ValueError)      an input breaks a rule; found before any training starts
    │   ├── TableError               a table or a file that holds one
    │   ├── SpaceError               a search space
    │   └── SettingError             an argument of ``Search`` or an option of the command line
    ├── StoreError (OSError)         a study or tracking store that cannot be opened or written
    └── NoModelError (RuntimeError)  no trial finished, or a run holds no model

A trial that fails is not an exception: it is a record with a reason.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from difflib import get_close_matches
from typing import Self

__all__ = [
    "AutomlError",
    "Fault",
    "InputError",
    "NoModelError",
    "SettingError",
    "SpaceError",
    "StoreError",
    "TableError",
    "collected",
    "nearest",
    "public_cause",
    "raise_all",
    "without_passwords",
]


@dataclass(frozen=True)
class Fault:
    """One broken rule: its place, the rule, the value received, and the remedy.

    Parameters
    ----------
    where : str
        The place: a file and line, a column, an argument.
    rule : str
        The rule, e.g. ``"must be a column of the table"``.
    came : str
        The value received.
    remedy : str
        An action for the user; may be empty.

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
    """Base class of the package's exceptions; passwords are removed from messages."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(without_passwords(arg) if isinstance(arg, str) else arg for arg in args))


class InputError(AutomlError, ValueError):
    """An input breaks one or more rules; the message lists all of them.

    Parameters
    ----------
    faults : Fault or iterable of Fault
        The broken rules, at least one.
    """

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        given = (faults,) if isinstance(faults, Fault) else tuple(faults)
        self.faults: tuple[Fault, ...] = tuple(Fault(*map(without_passwords, astuple(one))) for one in given)
        lines = [str(fault) for fault in self.faults]
        super().__init__(lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} faults:", *lines]))

    def within(self, place: str) -> Self:
        """Return the same error with a place, such as a file, before the place of each fault."""
        return type(self)([replace(fault, where=f"{place}, {fault.where}") for fault in self.faults])

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class TableError(InputError):
    """A table, or its file, cannot be used."""


class SpaceError(InputError):
    """A search space is invalid."""


class SettingError(InputError):
    """An argument of ``Search`` or a command-line option has an invalid value."""


class StoreError(AutomlError, OSError):
    """A study or tracking store cannot be opened or written."""


class NoModelError(AutomlError, RuntimeError):
    """There is no model: no trial finished, or the requested run has none."""


@contextmanager
def collected(errors: list[InputError]) -> Iterator[None]:
    """Append the InputError of a check to a list instead of raising it, so that the next check runs too."""
    try:
        yield
    except InputError as error:
        errors.append(error)


def raise_all(errors: Sequence[InputError]) -> None:
    """Raise one error with the faults of all of these, each once; do nothing without any.

    Examples
    --------
    >>> faults = [SettingError(Fault(name, "must be above 0", "-1")) for name in ("timeout", "n_trials")]
    >>> raise_all(faults)
    Traceback (most recent call last):
    automl.errors.SettingError: 2 faults:
    timeout: must be above 0; got -1.
    n_trials: must be above 0; got -1.
    """
    kinds = {type(error) for error in errors}
    if len(errors) == 1:
        raise errors[0]
    if errors:
        faults = dict.fromkeys(fault for error in errors for fault in error.faults)
        raise (kinds.pop() if len(kinds) == 1 else InputError)(faults)


_SECRET = r"passw(?:or)?d|passphrase|pwd|secret|token|key|credential|signature|\bsig|auth"
_HIDDEN = (
    # user:password@host; a password may hold slashes and at signs
    (re.compile(r"(://[^\s:/@]*):[^\s]*@"), r"\1:***@"),
    (re.compile(r"(https?://)[^\s:/@]+@"), r"\1***@"),
    # ?password=..., &sslpassword=..., and the same in the connection strings of drivers
    (re.compile(rf"([?&;\s(][\w.-]*(?:{_SECRET})[\w.-]*=)[^\s&;#'\")]+", re.IGNORECASE), r"\1***"),
)


def without_passwords(text: str) -> str:
    """Return a text without the passwords, tokens and keys of the URLs in it.

    Examples
    --------
    >>> without_passwords("postgresql://ann:se%40cret@db/studies is not there")
    'postgresql://ann:***@db/studies is not there'
    >>> without_passwords("https://host/x?user=ann&api_token=abc&page=2")
    'https://host/x?user=ann&api_token=***&page=2'
    """
    if "=" in text or "@" in text:
        for pattern, replacement in _HIDDEN:
            text = pattern.sub(replacement, text)
    return text


def public_cause(error: BaseException) -> BaseException | None:
    """Return an error as the cause of another one; None if a traceback of it would show a password."""
    text = "".join(traceback.format_exception_only(error))
    chained = error.__cause__ or error.__context__
    if without_passwords(text) != text or (chained is not None and public_cause(chained) is None):
        return None
    return error


_SHORT_WORD = 4  # letters up to which one wrong letter is a large share of the word


def nearest(word: str, known: Sequence[str]) -> str:
    """Return ``'did you mean "x"?'`` for the closest known word, or the known words themselves.

    Examples
    --------
    >>> nearest("arr_dely", ["dep_delay", "arr_delay"])
    'Did you mean "arr_delay"?'
    >>> nearest("ADAM", ["sgd", "adam"])
    'Did you mean "adam"?'
    >>> nearest("zzz", ["a", "b"])
    'Known: a, b.'
    """
    folded = {str(name).casefold(): str(name) for name in reversed(known)}
    short = len(str(word)) <= _SHORT_WORD and not str(word).isdigit()
    cutoff = 0.5 if short else 0.6
    close = get_close_matches(str(word).casefold(), list(folded), n=1, cutoff=cutoff)
    if close:
        return f'Did you mean "{folded[close[0]]}"?'
    shown = [str(name) for name in known[:12]]
    return f"Known: {', '.join(shown)}{', ...' if len(known) > 12 else ''}."
