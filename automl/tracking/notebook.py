"""Progress of a search in a notebook: one output that is updated in place."""

from __future__ import annotations

import sys
import threading
from html import escape
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from automl.tracking.progress import Progress

__all__ = ["NotebookProgress", "in_notebook", "open_progress"]

_SECONDS = 0.5  # between updates


def in_notebook() -> bool:
    """Return whether the code runs in a Jupyter kernel, which shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def open_progress() -> Progress:
    """Return the progress display for this process: of a notebook, a terminal, or plain lines."""
    return NotebookProgress() if in_notebook() else Progress()


class NotebookProgress(Progress):
    """A `Progress` in the output of a notebook's cell, without widgets.

    Parameters
    ----------
    display : callable or None
        Shows an object and returns a handle with ``update``; None for that of IPython.
    """

    def __init__(self, display: Any = None) -> None:
        super().__init__()
        self._display = display
        self._handle: Any = None
        self._notes: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="automl-progress", daemon=True)
        self._shown = ""

    def __enter__(self) -> Self:
        display = self._display or import_module("IPython.display").display
        self._shown = self.html()
        self._handle = display(_Html(self._shown), display_id=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._doing = "interrupted" if error is not None else "done"
        self._update()

    def html(self) -> str:
        """Return the current state as HTML, with colours of the notebook's theme."""
        share = 100 if self._doing == "done" else round(100 * self._share(), 1)
        bar = (
            '<div style="height:6px;max-width:40em;margin:4px 0;background:rgba(128,128,128,.3)">'
            f'<div style="height:6px;width:{share}%;background:#0072b2"></div></div>'
        )
        lines = "".join(f"<li>{escape(note)}</li>" for note in self._notes)
        notes = f"<details><summary>notes: {len(self._notes)}</summary><ul>{lines}</ul></details>"
        state = f"{escape(self._clock())} &middot; {escape(self._tally())} &middot; <b>{escape(self._winner())}</b>"
        return (
            f'<div role="status"><b>{escape(self._title())}</b>{bar}<div>{state}</div>'
            f'<div style="opacity:.7">{escape(self._doing)}</div>{notes if self._notes else ""}</div>'
        )

    def _print(self, text: str) -> None:
        if text != self._title():
            self._notes.append(text)

    def _line(self) -> None:
        """Write no lines: the output is updated."""

    def _refresh(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._update()

    def _update(self) -> None:
        if (html := self.html()) != self._shown:
            self._shown = html
            self._handle.update(_Html(html))


class _Html:
    """HTML that also has a plain text, for frontends without HTML."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return "progress of a search"
