"""The only package that imports Optuna: proposals, pruning, storage, and processes that share a study."""

import automl.study.progress_bars  # noqa: F401

# isort: split

from optuna import Study

from automl.study.attributes import (
    read_baseline,
    read_corrected,
    read_ensemble,
    read_records,
    read_run,
    read_search,
    read_settings,
    save_baseline,
    save_corrected,
    save_ensemble,
    save_run,
    save_settings,
)
from automl.study.importances import param_importances
from automl.study.lease import ProcessLease, open_lease
from automl.study.optuna_private import limited_calls
from automl.study.peers import RemoteUpdates
from automl.study.pruners import DEFAULT_PRUNER, PRUNERS, make_pruner
from automl.study.repair import Repair, repair_journal
from automl.study.samplers import DEFAULT_SAMPLER, SAMPLERS, check_sampler, make_sampler
from automl.study.session import Session
from automl.study.storage import (
    create_study,
    ignore_experimental_warnings,
    known_studies,
    load_study,
    predictions_folder,
    storage_errors,
)

__all__ = [
    "PRUNERS",
    "SAMPLERS",
    "RemoteUpdates",
    "Repair",
    "DEFAULT_PRUNER",
    "DEFAULT_SAMPLER",
    "ProcessLease",
    "Session",
    "Study",
    "check_sampler",
    "create_study",
    "ignore_experimental_warnings",
    "open_lease",
    "save_baseline",
    "save_corrected",
    "save_ensemble",
    "save_run",
    "save_settings",
    "known_studies",
    "limited_calls",
    "load_study",
    "make_pruner",
    "make_sampler",
    "param_importances",
    "predictions_folder",
    "read_baseline",
    "read_corrected",
    "read_ensemble",
    "read_records",
    "read_run",
    "read_search",
    "read_settings",
    "repair_journal",
    "storage_errors",
]
