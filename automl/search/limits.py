"""The winner against the limits of its space: told where it breaks them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl.select import describe_violations
from automl.workers import model_bytes, sample_rows, seconds_for, violations

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from automl.records import TrialRecord

__all__ = ["warn_of_refitted", "warn_of_winner"]


def warn_of_winner(best: TrialRecord, limits: Mapping[str, float]) -> None:
    """Warn if the winner is not known to be within the limits, which is so only where no trial is."""
    if best.total_violation:
        warnings.warn(
            f"No trial is within the limits; the best is {describe_violations(best.violation)}.", stacklevel=3
        )
    elif len(best.violation) < len(limits):
        warnings.warn("No trial is known to be within the limits: none was measured.", stacklevel=3)


def warn_of_refitted(
    pipeline: Pipeline, frame: pd.DataFrame, limits: Mapping[str, float], best: TrialRecord
) -> None:
    """Warn if the winner, trained on all rows, has grown beyond a limit that its trial was within.

    Parameters
    ----------
    pipeline : Pipeline
        The winner, fitted on all rows.
    frame : DataFrame
        The table as the second step of the pipeline takes it.
    limits : mapping of str to float
        The limits of the space. That on ``fit_seconds`` is about a fold and not looked at.
    best : TrialRecord
        The winning trial.
    """
    if best.total_violation:
        return
    measured: dict[str, float] = {}
    if "model_bytes" in limits:
        measured["model_bytes"] = model_bytes(pipeline)
    if "predict_seconds" in limits:
        rows, after_typing = sample_rows(frame), pipeline[1:]
        measured["predict_seconds"] = seconds_for(lambda: after_typing.predict(rows))
    grown = violations(measured, {name: limits[name] for name in measured})
    if any(share > 0 for share in grown.values()):
        warnings.warn(f"The winner, trained on all rows, is {describe_violations(grown)}.", stacklevel=4)
