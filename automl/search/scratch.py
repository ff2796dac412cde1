"""The folder of temporary files: matrices that workers share, and models before they are logged."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl.errors import Fault, SettingError

__all__ = ["scratch_folder"]

_OTHERS = (
    "/var/tmp",
    ".",
)  # besides the system's temporary folder, which may be a small file system in memory


@contextmanager
def scratch_folder(folder: str | None, needed: int) -> Iterator[Path]:
    """Let this process write its temporary files where they fit; ``tempfile.tempdir`` is restored at the end.

    Parameters
    ----------
    folder : str or None
        The folder; None takes the first one with room: the system's (``TMPDIR``), ``/var/tmp`` or the working folder.
    needed : int
        Bytes. If they fit nowhere, the folder with most room is taken.

    Raises
    ------
    SettingError
        If the folder is missing or cannot be written.
    """
    chosen = _roomiest(needed) if folder is None else _writable(folder)
    before = tempfile.tempdir
    tempfile.tempdir = str(chosen)
    try:
        yield chosen
    finally:
        tempfile.tempdir = before


def _writable(folder: str) -> Path:
    path = Path(folder).absolute()
    if not path.is_dir() or not os.access(path, os.W_OK):
        remedy = "Make it, or name another."
        raise SettingError(Fault("scratch", "must be a folder that can be written", folder, remedy))
    return path


def _roomiest(needed: int) -> Path:
    rooms: dict[Path, int] = {}
    for name in (tempfile.gettempdir(), *_OTHERS):
        path = Path(name).absolute()
        with suppress(OSError):
            if os.access(path, os.W_OK):
                rooms[path] = shutil.disk_usage(path).free
            if rooms.get(path, 0) >= needed:
                return path
    return max(rooms, key=lambda path: rooms[path], default=Path(tempfile.gettempdir()))
