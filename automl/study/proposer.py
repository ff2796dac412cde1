"""The choice of the next configuration: initial points, one of each family, a grid, then the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from automl.space import FAMILY_PARAM, Conflicts, Space
from automl.study.attributes import FORBIDDEN, INITIAL_POINT, REFUSALS, cohort_of
from automl.study.duplicates import Duplicates
from automl.study.grid_sampler import FixedPointSampler
from automl.study.history import History
from automl.study.pending import PendingTrials

__all__ = ["Draft", "Proposer"]

_MAX_REFUSALS = 50  # forbidden proposals in a row before a random one is taken
_MAX_REPEATS = 8  # leaders in a row that repeat a trial before a new configuration is drawn at random
_MAX_DRAWS = 200  # random configurations, all known, after which the space counts as exhausted

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
    n_repeated : int
        Leaders in a row that repeated a trial.
    exhausted : bool
        Whether random draws give nothing new.
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
        self.n_repeated, self.exhausted = 0, False
        self._n_refused = 0  # forbidden proposals in a row, by a process that was killed meanwhile

    def resume(self, trials: Sequence[FrozenTrial], *, same_space: bool) -> None:
        """Read from the trials of a study how far earlier processes came."""
        self._n_refused = trials[-1].user_attrs.get(REFUSALS, 0) if trials else 0
        for trial in trials:
            if (point := trial.user_attrs.get(INITIAL_POINT)) in self.initial_points:
                self.initial_points.remove(point)
            cohort = cohort_of(trial)
            if same_space and "size" in cohort:
                self.n_repeated, self.exhausted = cohort["repeated"], cohort["exhausted"]

    def leader(self) -> tuple[dict[str, Any], Draft] | None:
        """Draw the leader of the next cohort.

        Returns
        -------
        initial_point, draft : dict and Draft, or None
            The initial point that it tries, empty if none, and the draft; None at the end of a grid, or if all fail.
        """
        if self._grid and not self.initial_points:
            draft = self._next_point()
            return draft and ({}, draft)
        if self.n_repeated >= _MAX_REPEATS and not self.exhausted:
            new = self._random(new=True)
            self.exhausted = new is None
            if new is not None:
                return {}, new
        point = self.initial_points.pop(0) if self.initial_points else {}
        draft = self._allowed(point) or self._random()
        return draft and (point, draft)

    def member(self, shared: Mapping[str, Any]) -> Draft | None:
        """Draw a trial with the parameters that its cohort shares; None if there is no further one."""
        return self._next_point(shared) if self._grid else self._allowed(shared, leader=False)

    def count(self, *, known: bool) -> None:
        """Count a leader as a repetition of a trial, or not."""
        self.n_repeated = self.n_repeated + 1 if known else 0

    def _next_point(self, like: Mapping[str, Any] | None = None) -> Draft | None:
        """Draw the next point of the grid that no trial has; None if none is left, or none like that."""
        while self._grid and (point := self._grid.take(like)) is not None:
            draft = self._pending.draw(point)
            if not (self._duplicates.is_known(draft[1]) or self._conflicts.reason(draft[1])):
                return draft
        return None

    def _allowed(self, fixed: Mapping[str, Any], *, leader: bool = True) -> Draft | None:
        """Draw a trial that is not forbidden; None after too many that are. The study keeps these as failed."""
        n_refused, self._n_refused = self._n_refused, 0
        while n_refused < _MAX_REFUSALS:
            trial, configuration = self._pending.draw(fixed, leader=leader)
            reason = self._space.forbidden(configuration) or self._conflicts.reason(configuration)
            if not reason:
                return trial, configuration
            n_refused += 1
            self._pending.commit(trial, {FORBIDDEN: reason, REFUSALS: n_refused}, TrialState.FAIL)
        return None

    def _random(self, *, new: bool = False) -> Draft | None:
        """Draw a random trial that is not known to fail, nor known at all if ``new``; None after too many draws."""
        rng = self._rng()
        draws = (self._space.sample(rng) for _ in range(_MAX_DRAWS))
        for draw in draws:
            if not self._conflicts.reason(draw) and not (new and self._duplicates.is_known(draw)):
                return self._pending.draw(self._space.to_trial(draw))
        return None

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._history.n_known])
