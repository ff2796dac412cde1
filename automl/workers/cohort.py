"""A cohort: trials of equal structure that train together."""

from __future__ import annotations

from dataclasses import dataclass

from automl.records import TrialSpec

__all__ = ["Cohort"]


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
    """

    id: int
    trials: tuple[TrialSpec, ...]
    deadline: float = float("inf")
    trial_timeout: float = float("inf")
    killable: bool = False

    @property
    def blas_threads(self) -> int:
        """The most BLAS threads of its trials."""
        return self.trials[0].blas_threads

    @property
    def timeout_reason(self) -> str:
        """The reason of a trial that exceeded ``trial_timeout``."""
        return f"took longer than trial_timeout, {self.trial_timeout:g} s"
