"""The only room that knows Optuna: propose, judge at rungs, tell, keep."""

from automl.study.budget import Budget
from automl.study.company import Seat, join
from automl.study.kept import (
    keep_run,
    keep_settings,
    read_records,
    read_run,
    read_search,
    read_settings,
)
from automl.study.policies import make_pruner, make_sampler
from automl.study.session import News, Session
from automl.study.storage import create_study, known_studies, load_study

__all__ = [
    "Budget",
    "News",
    "Seat",
    "Session",
    "create_study",
    "join",
    "keep_run",
    "keep_settings",
    "known_studies",
    "load_study",
    "make_pruner",
    "make_sampler",
    "read_records",
    "read_run",
    "read_search",
    "read_settings",
]
