"""Frozen records that travel between packages: no references, JSON both ways."""

from automl.records.search import EnsembleRecord, SearchRecord, Task
from automl.records.trial import OUTSIDE, Curve, Model, State, TrialRecord, TrialSpec, model_of

__all__ = [
    "OUTSIDE", "Curve", "EnsembleRecord", "Model", "SearchRecord", "State", "Task", "TrialRecord", "TrialSpec",
    "model_of",
]  # fmt: skip
