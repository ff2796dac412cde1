"""The only room that knows MLflow: a search turned into runs, models written and found, and the live display.

MLflow is a mirror of the study, never the truth: a store that fails harms no search.
Importing this room loads no MLflow.
"""

from __future__ import annotations

from automl.tracking.models import fetch_model, find_model, write_model
from automl.tracking.progress import NullProgress, Progress
from automl.tracking.read_runs import read_trial
from automl.tracking.store import default_tracking_uri, ui_command, ui_url
from automl.tracking.sync import FLUSH_SECONDS, finish_run, open_run, summarize
from automl.tracking.tracker import Tracker

__all__ = [
    "FLUSH_SECONDS",
    "finish_run",
    "open_run",
    "summarize",
    "Progress",
    "NullProgress",
    "Tracker",
    "default_tracking_uri",
    "fetch_model",
    "find_model",
    "read_trial",
    "ui_command",
    "ui_url",
    "write_model",
]
