"""A class for spaces that uses time and memory, or kills its process, when it is fitted."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from sklearn.tree import DecisionTreeClassifier

KEPT: list[bytes] = []


class Greedy(DecisionTreeClassifier):  # type: ignore[misc]
    """A tree that sleeps, takes memory while it is fitted, keeps memory, or kills its process."""

    def __init__(self, seconds: float = 0.0, takes: int = 0, keeps: int = 0, dies: bool = False) -> None:
        super().__init__()
        self.seconds, self.takes, self.keeps, self.dies = seconds, takes, keeps, dies

    def fit(self, X: Any, y: Any) -> Greedy:
        """Fit the tree."""
        if self.dies is True:  # the check of a class tries other values
            os.kill(os.getpid(), signal.SIGKILL)
        KEPT.append(b"x" * self.keeps)
        taken = b"x" * self.takes
        time.sleep(self.seconds)
        super().fit(X, y)
        del taken
        return self
