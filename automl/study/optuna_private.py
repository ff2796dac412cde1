"""The private names of Optuna that the package uses; no other module touches one.

Optuna's public API cannot show a sampler or pruner a part of a study at that speed: a study in memory, filled by
``add_trials``, takes 15 to 90 ms more a proposal and 20 to 40 ms more a pruning decision with 250 trials
(``benchmarks/proposals.py``). It also renumbers the trials, and Hyperband chooses brackets by number.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.samplers import GridSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial
from typing_extensions import override

from automl.time_limit import CallLimit, in_time, without_limit

__all__ = [
    "RUNG_ATTR",
    "TESTED_VERSIONS",
    "TPE_PARAMS_ATTR",
    "CALL_EXTRA",
    "CALL_SECONDS",
    "Database",
    "grid_of",
    "journal_backend",
    "limited_calls",
    "storage_of",
    "study_id",
    "trial_id",
]

TESTED_VERSIONS = ("5.0",)  # major and minor versions of Optuna that the contract test has run with

TPE_PARAMS_ATTR = "tpe:relative_params"  # system attribute of a running trial: what TPE drew for it
# Seconds to connect, milliseconds until a dead connection is given up: libpq's parameters of both drivers.
_LIMITS = {"connect_timeout": 10, "tcp_user_timeout": 15_000}
CALL_SECONDS = 60.0  # for a call to a database; reading a study of 10,000 trials takes several
CALL_EXTRA = 2.0  # seconds that a call may end after the timeout of a search
_SQLITE_LIMITS = {"timeout": CALL_SECONDS}  # seconds to wait while another process writes; SQLite's own are 5
_IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:")  # a connection is of one thread
# The methods that read or write the database. Optuna's cache of finished trials calls the private ones.
_CALLS = (
    *sorted(BaseStorage.__abstractmethods__),
    "get_best_trial",
    "get_trial_id_from_study_id_trial_number",
    "_create_new_trial",
    "_get_best_trial_id",
    "_get_trials",
    "_set_trial_param",
)
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


@contextmanager
def limited_calls(study: optuna.Study, remaining: Callable[[], float]) -> Iterator[None]:
    """Give a call to the database of a study no more than the ``remaining`` seconds of a search, and two."""
    cache = storage_of(study)
    database = cache._backend if isinstance(cache, _CachedStorage) else None
    if not isinstance(database, Database):
        yield
        return
    database.calls.remaining = remaining
    try:
        yield
    finally:
        database.calls.remaining = without_limit


_Method = TypeVar("_Method", bound=Callable[..., Any])


def _limited(method: _Method) -> _Method:
    """Return a method of a database whose calls have a time limit."""

    @wraps(method)
    def call(self: Database, *args: Any, **kwargs: Any) -> Any:
        if self.url in _IN_MEMORY:
            return method(self, *args, **kwargs)
        try:
            return self.calls.run(lambda: method(self, *args, **kwargs), CALL_SECONDS, CALL_EXTRA)
        except TimeoutError as error:
            raise StorageInternalError(str(error)) from None

    return call  # type: ignore[return-value]


class Database(RDBStorage):
    """Optuna's database storage, for spaces that may become wider.

    Optuna compares the distribution of each new value with that of the first trial that has the parameter. Here the
    session has checked the space already.

    A call that takes longer than a minute raises StorageInternalError, as other failures of a database do.

    Parameters
    ----------
    url : str
        As SQLAlchemy takes it.
    seconds : float
        That connecting and the creation of tables may take.

    Attributes
    ----------
    calls : CallLimit
        The time limit of its calls.
    """

    def __init__(self, url: str, seconds: float = CALL_SECONDS) -> None:
        self.calls = CallLimit()
        limits = _SQLITE_LIMITS if url.startswith("sqlite") else _LIMITS
        ours = {name: value for name, value in limits.items() if f"{name}=" not in url}
        known = url.startswith(("postgresql", "sqlite"))
        options = {"connect_args": ours} if known else None
        if url in _IN_MEMORY:
            super().__init__(url, options)
        else:
            in_time(lambda: RDBStorage.__init__(self, url, options), seconds)
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


for _name in _CALLS:
    setattr(Database, _name, _limited(getattr(Database, _name)))
