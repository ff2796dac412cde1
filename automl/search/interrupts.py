"""Ctrl-C during a search."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupt"]


class Interrupt:
    """The first Ctrl-C is noted, the second one raises KeyboardInterrupt.

    Attributes
    ----------
    seen : bool
        Whether there was one.
    """

    def __init__(self) -> None:
        self.seen = False

    def note(self) -> None:
        """Note a KeyboardInterrupt; raise it if it is not the first."""
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Note the first Ctrl-C instead of raising it, so that no event is handled halfway.

        Other threads, and programs with a signal handler of their own, are left alone.
        """
        default = signal.default_int_handler
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread or signal.getsignal(signal.SIGINT) is not default:
            yield
            return

        def handle(signum: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, default)
            self.seen = True

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, default)
