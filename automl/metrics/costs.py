"""The measured costs of a trial, as data; each may be an objective or limited by a constraint."""

from __future__ import annotations

from automl.constraints import Number, Parameter, Section

__all__ = ["COSTS"]

_LIMIT = Number(0, open_low=True)

COSTS = Section(
    {
        "fit_seconds": Parameter(_LIMIT, None, "seconds of training a fold; in a cohort a trial's share"),
        "predict_seconds": Parameter(_LIMIT, None, "seconds to prepare and predict 1,000 rows"),
        "model_bytes": Parameter(_LIMIT, None, "bytes of the fitted pipeline's file"),
    }
)
"""Costs that are measured only if a search uses them; smaller is better."""
