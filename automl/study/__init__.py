"""The only room that knows Optuna: propose, judge at rungs, tell, keep."""

from automl.study.budget import Budget
from automl.study.policies import make_pruner, make_sampler
from automl.study.session import Session, read_records, read_search
from automl.study.storage import create_study, known_studies, load_study

__all__ = [
    "Budget",
    "Session",
    "create_study",
    "known_studies",
    "load_study",
    "make_pruner",
    "make_sampler",
    "read_records",
    "read_search",
]
