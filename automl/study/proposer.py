"""The choice of the next configuration: initial points, one of each family, a grid, then the sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from automl.records import model_of
from automl.space import FAMILY_PARAM, Conflicts, Space
from automl.study.attributes import FORBIDDEN, INITIAL_POINT, REFUSALS
from automl.study.duplicates import Duplicates
from automl.study.grid_sampler import FixedPointSampler
from automl.study.history import History
from automl.study.pending import PendingTrials

__all__ = ["Draft", "Proposer"]

_MAX_REFUSALS = 50  # forbidden proposals in a row before a random one is taken
_ATTEMPTS = 8  # draws of the sampler, all known, after which a new configuration is drawn at random
_MAX_DRAWS = 200  # random configurations, all known, after which the space counts as exhausted
_CHEAP_DRAWS = 30  # random configurations, of which the cheapest may be the first trial
_CHEAP = 0.1  # of the remaining time: a first trial below that is not replaced by a cheaper one

Draft = tuple[FrozenTrial, dict[str, Any]]  # a trial that is not stored, and its configuration


class Proposer:
    """Chooses configurations; the sampler decides once the initial points and families are tried.

    Parameters
    ----------
    space : Space
        The search space.
    seed : int
        The seed of the search.
    grid : FixedPointSampler or None
        The points to try, in place of the sampler's proposals.
    pending, history, duplicates
        The source of drafts, and the known trials.
    conflicts : Conflicts
        The configurations that failed, and combinations of values that fail.

    Attributes
    ----------
    initial_points : list of dict
        Parameters of the points left to try first: those of the space, then each family.
    exhausted : bool
        Whether random draws give nothing new; the search ends then.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        *,
        grid: FixedPointSampler | None,
        pending: PendingTrials,
        history: History,
        duplicates: Duplicates,
        conflicts: Conflicts,
    ) -> None:
        self._space, self._seed, self._grid = space, seed, grid
        self._pending, self._history, self._duplicates = pending, history, duplicates
        self._conflicts = conflicts
        families = [] if grid else space.size().dimensions
        self.initial_points = [*space.initial_params, *({FAMILY_PARAM: name} for name in families)]
        self.exhausted = False
        self._last_family = ""  # of the sampler's last proposal that repeated a trial
        self._n_refused = 0  # forbidden proposals in a row, by a process that was killed meanwhile

    def resume(self, trials: Sequence[FrozenTrial]) -> None:
        """Read from the trials of a study how far earlier processes came."""
        self._n_refused = trials[-1].user_attrs.get(REFUSALS, 0) if trials else 0
        for trial in trials:
            if (point := trial.user_attrs.get(INITIAL_POINT)) in self.initial_points:
                self.initial_points.remove(point)

    def leader(
        self, cost: Callable[[dict[str, Any]], float] | None = None
    ) -> tuple[dict[str, Any], Draft] | None:
        """Draw the leader of the next cohort.

        Parameters
        ----------
        cost : callable, optional
            Share of the remaining time that a configuration takes. With it, an expensive leader is replaced by a
            cheap configuration, because no trial has a score yet.

        Returns
        -------
        initial_point, draft : dict and Draft, or None
            The initial point that it tries, empty if none, and the draft; None at the end of a grid, if the space has
            no other configuration, or if all fail.
        """
        if self._grid and not self.initial_points:
            draft = self._next_point()
            return draft and ({}, draft)
        if cost is not None and (cheap := self._cheap(cost)) is not None:
            return {}, cheap
        while self.initial_points:
            point = self.initial_points.pop(0)
            if draft := self._new(point):
                return point, draft
        draft = self._new({}) or self._random()
        self.exhausted = draft is None
        return draft and ({}, draft)

    def _new(self, fixed: Mapping[str, Any], *, leader: bool = True) -> Draft | None:
        """Draw a trial that no other one repeats; None if the sampler proposes known or forbidden ones only."""
        for attempt in range(_ATTEMPTS):
            draft = self._allowed(fixed, leader=leader, attempt=attempt)
            if draft is None or not self._duplicates.is_known(draft[1]):
                return draft
            self._last_family = model_of(draft[1]).family
        return None

    def _cheap(self, cost: Callable[[dict[str, Any]], float]) -> Draft | None:
        """Return the cheapest of some configurations, if the first initial point is expensive."""
        first = [self._pending.draw(point)[1] for point in self.initial_points[:1]]
        rng = self._rng()
        draws = [*first, *(self._space.sample(rng) for _ in range(_CHEAP_DRAWS))]
        if cost(draws[0]) <= _CHEAP:
            return None
        allowed = [draw for draw in draws[len(first) :] if not self._conflicts.reason(draw)]
        best = min(allowed, key=cost, default=draws[0])
        return self._pending.draw(self._space.to_trial(best)) if cost(best) < cost(draws[0]) else None

    def member(self, shared: Mapping[str, Any]) -> Draft | None:
        """Draw a trial with the parameters that its cohort shares; None if there is no further one."""
        return self._next_point(shared) if self._grid else self._new(shared, leader=False)

    def _next_point(self, like: Mapping[str, Any] | None = None) -> Draft | None:
        """Draw the next point of the grid that no trial has; None if none is left, or none like that."""
        while self._grid and (point := self._grid.take(like)) is not None:
            draft = self._pending.draw(point)
            if not (self._duplicates.is_known(draft[1]) or self._conflicts.reason(draft[1])):
                return draft
        return None

    def _allowed(self, fixed: Mapping[str, Any], *, leader: bool = True, attempt: int = 0) -> Draft | None:
        """Draw a trial that is not forbidden; None after too many that are. The study keeps these as failed."""
        n_refused, self._n_refused = self._n_refused, 0
        while n_refused < _MAX_REFUSALS:
            trial, configuration = self._pending.draw(fixed, leader=leader, attempt=attempt)
            reason = self._space.forbidden(configuration) or self._conflicts.reason(configuration)
            if not reason:
                return trial, configuration
            n_refused += 1
            self._pending.commit(trial, {FORBIDDEN: reason, REFUSALS: n_refused}, TrialState.FAIL)
        return None

    def _random(self) -> Draft | None:
        """Draw a random trial that is neither known nor known to fail; None after too many draws.

        It has the family that the sampler proposed, if that has a new configuration.
        """
        rng, other = self._rng(), None
        for draw in (self._space.sample(rng) for _ in range(_MAX_DRAWS)):
            if self._conflicts.reason(draw) or self._duplicates.is_known(draw):
                continue
            if model_of(draw).family == self._last_family:
                return self._pending.draw(self._space.to_trial(draw))
            other = other or draw
        return None if other is None else self._pending.draw(self._space.to_trial(other))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._history.n_known])
