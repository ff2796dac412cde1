"""The private names of Optuna that the package uses; no other module touches one.

Optuna's public API cannot show a sampler or pruner a part of a study at that speed: a study in memory, filled by
``add_trials``, takes 15 to 90 ms more a proposal and 20 to 40 ms more a pruning decision with 250 trials
(``benchmarks/proposals.py``). It also renumbers the trials, and Hyperband chooses brackets by number.
"""

from __future__ import annotations

import weakref
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import GridSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial
from typing_extensions import override

__all__ = [
    "RUNG_ATTR",
    "TESTED_VERSIONS",
    "TPE_PARAMS_ATTR",
    "Database",
    "grid_of",
    "journal_backend",
    "storage_of",
    "study_id",
    "trial_id",
]

TESTED_VERSIONS = ("5.0",)  # major and minor versions of Optuna that the contract test has run with

TPE_PARAMS_ATTR = "tpe:relative_params"  # system attribute of a running trial: what TPE drew for it
# Seconds to connect, milliseconds until a dead connection is given up: libpq's parameters of both drivers.
_LIMITS = {"connect_timeout": 10, "tcp_user_timeout": 15_000}
RUNG_ATTR = "completed_rung_"  # prefix of the system attributes of successive halving


def storage_of(study: optuna.Study) -> BaseStorage:
    """Return the storage of a study."""
    return study._storage


def study_id(study: optuna.Study) -> int:
    """Return the id of a study in its storage."""
    return study._study_id


def trial_id(trial: FrozenTrial) -> int:
    """Return the id of a trial in its storage."""
    return trial._trial_id


def journal_backend(study: optuna.Study) -> BaseJournalBackend | None:
    """Return the backend of a study's journal; None for other storages."""
    storage = storage_of(study)
    return storage._backend if isinstance(storage, JournalStorage) else None


def grid_of(sampler: GridSampler) -> dict[str, list[Any]]:
    """Return the values of each parameter of Optuna's grid."""
    return {name: list(values) for name, values in sampler._search_space.items()}


class Database(RDBStorage):
    """Optuna's database storage, for spaces that may become wider.

    Optuna compares the distribution of each new value with that of the first trial that has the parameter. Here the
    session has checked the space already.
    """

    def __init__(self, url: str) -> None:
        ours = {name: value for name, value in _LIMITS.items() if f"{name}=" not in url}
        super().__init__(url, {"connect_args": ours} if url.startswith("postgresql") else None)
        weakref.finalize(self, self.engine.dispose)  # otherwise its connections stay open

    @override
    def _set_trial_param_without_commit(
        self,
        session: Any,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None = None,
    ) -> None:
        super()._set_trial_param_without_commit(
            session, trial_id, param_name, param_value_internal, distribution, distribution
        )
