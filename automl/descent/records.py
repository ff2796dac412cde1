"""Records of a trial: its state between two epochs, and its failure."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl.descent.kernels import Array

__all__ = ["Failure", "Snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """A trial between two epochs.

    Parameters
    ----------
    theta : ndarray of shape (p,)
        Parameters.
    state : dict
        The optimizer's arrays; missing ones start from their initial values.
    mean : ndarray of shape (p,), optional
        Averaged parameters.
    count : int
        Epochs that the average is over.
    schedule : tuple of float
        State of the learning-rate schedule.
    """

    theta: Array
    state: dict[str, Array] = field(default_factory=dict)
    mean: Array | None = None
    count: int = 0
    schedule: tuple[float, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why and when a trial ended early.

    Parameters
    ----------
    reason : str
        Reason.
    epoch : int
        Epoch in which it happened, from 1.
    """

    reason: str
    epoch: int
