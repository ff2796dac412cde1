"""Log searches to MLflow, write and find models, show progress. Only this package imports mlflow.

MLflow is a copy of the study: a store that fails does not stop a search. Importing this package does not
import mlflow.
"""

from __future__ import annotations

from automl.tracking.artifacts import log_page
from automl.tracking.background import ignore_store_warnings, in_background
from automl.tracking.description import Description
from automl.tracking.fluent import no_autologging
from automl.tracking.list_runs import RunRow, list_runs
from automl.tracking.models import fetch_model, find_model, read_example, warm_up, write_model
from automl.tracking.notebook import NotebookProgress, open_progress
from automl.tracking.progress import NullProgress, Progress
from automl.tracking.read_runs import read_study_name, read_trial, trial_runs
from automl.tracking.store import default_tracking_uri, ui_command
from automl.tracking.sync import FLUSH_SECONDS, finish_run, open_run, summarize
from automl.tracking.tracker import Tracker
from automl.tracking.user_interface import free_port, serve_ui
from automl.tracking.views import ui_url

__all__ = [
    "FLUSH_SECONDS",
    "finish_run",
    "open_progress",
    "open_run",
    "summarize",
    "Description",
    "Progress",
    "NotebookProgress",
    "NullProgress",
    "RunRow",
    "Tracker",
    "default_tracking_uri",
    "fetch_model",
    "find_model",
    "free_port",
    "list_runs",
    "ignore_store_warnings",
    "in_background",
    "log_page",
    "no_autologging",
    "read_example",
    "read_study_name",
    "read_trial",
    "serve_ui",
    "trial_runs",
    "ui_command",
    "ui_url",
    "warm_up",
    "write_model",
]
