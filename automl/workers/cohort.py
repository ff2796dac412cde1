"""A cohort: trials of equal structure that train together."""

from __future__ import annotations

from dataclasses import dataclass

from automl.records import TrialSpec

__all__ = ["Cohort"]

_GRACE = 0.5  # seconds for a cohort to report by itself that it took too long


@dataclass(frozen=True)
class Cohort:
    """Trials of equal structure, to be trained together.

    Parameters
    ----------
    id : int
        The cohort's number in the search, from 0.
    trials : tuple of TrialSpec
        The trials.
    deadline : float
        When training must stop, in seconds since 1970.
    trial_timeout : float
        Seconds for each trial: its shares of the cohort's time, including the preparation of the folds.
    killable : bool
        Whether training may not end by itself, so that it must run where it can be killed.
    floor : float or None
        The folds are trained one after the other, and a trial stops between two of them if its mean score so far is
        below this. None: the folds are trained side by side.
    """

    id: int
    trials: tuple[TrialSpec, ...]
    deadline: float = float("inf")
    trial_timeout: float = float("inf")
    killable: bool = False
    floor: float | None = None

    @property
    def blas_threads(self) -> int:
        """The most BLAS threads of its trials."""
        return self.trials[0].blas_threads

    @property
    def most_seconds(self) -> float:
        """Seconds after which its worker is killed.

        A cohort of several trials ends by itself once each has used its time, unless it hangs; so it gets more than
        the sum of their times. Waiting at rungs is not training, but counts here.
        """
        n = len(self.trials)
        return (n if n == 1 else 1.5 * n) * self.trial_timeout + _GRACE

    @property
    def timeout_reason(self) -> str:
        """The reason of a trial that exceeded ``trial_timeout``."""
        return f"took longer than trial_timeout, {self.trial_timeout:g} s"
