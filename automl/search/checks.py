"""The checks of a search before training: settings and table together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from automl.errors import InputError, collected, raise_all
from automl.search.large_table import LargeTable, open_table
from automl.search.settings import check_settings
from automl.table import check_table

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["checked_search"]


@contextmanager
def checked_search(
    settings: Mapping[str, Any], X: Any, y: Any, by_row: Mapping[str, Any]
) -> Iterator[tuple[Space, Any, Any, LargeTable | None]]:
    """Yield the space, the table, the target, and all rows if the table is a sample of a file.

    Parameters
    ----------
    settings : mapping
        The settings of `Search`.
    X, y, by_row
        As for `open_table`.

    Raises
    ------
    InputError
        With every fault of the settings. If there are some, the faults of the table are added.
    """
    errors: list[InputError] = []
    with ExitStack() as stack:
        with collected(errors):
            space = check_settings(settings)
        with collected(errors):
            valid = settings if not errors else {**settings, "memory_limit": None, "random_state": 0}
            X, y, large = stack.enter_context(open_table(X, y, valid, by_row))
            if errors:
                types = settings["columns"] if isinstance(settings["columns"], dict) else None
                check_table(X, y, text=True, types=types)
        raise_all(errors)
        yield space, X, y, large
