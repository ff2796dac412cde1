"""Classes named by a space, tried before any trial: which of their values cannot train together.

What a class takes for one parameter its signature and its own checks tell; what it takes together only a fit does. So
a few configurations, every two values in one of them, are fitted to next to nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from threading import Thread
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from automl.space.covering import Covering, Point
from automl.space.grid import by_family
from automl.space.nodes import Branches, Choices, Group, Range
from automl.space.raw import show
from automl.space.rules import Condition, Rule

__all__ = ["ITERATIONS", "Misfit", "Tries", "untrainable"]

Tries = Callable[[str, Mapping[str, Any]], str | None]
"""From task and configuration to what a fit says against it: empty if it trains, None if it is for other tasks."""

ITERATIONS = frozenset(
    {
        *("n_estimators", "max_iter", "iterations", "n_iter", "num_iterations", "num_boost_round"),
        *("num_trees", "epochs", "max_epochs", "n_epochs"),
    }
)
"""Parameters that say how long to train; what trains for long trains for a moment too."""

_DOUBTFUL = frozenset({"estimator", "max_samples"})  # what no table says the company of
_SECONDS = 2.0
_WORKING = 0.9  # of the time; the rest is for telling what was found
_LEAST_SHARE = 0.5  # of a branch, as long as there is time
_MOST_FITS = 400  # of one branch
_MOST_FOUND = 20  # of one branch
_MOST_TRIES = 30  # at a configuration that trains after all


@dataclass(frozen=True)
class Misfit:
    """Values of a branch that cannot train together.

    Parameters
    ----------
    family : str
        The branch.
    rule : Rule or None
        What forbids them; None where nothing of the branch trains.
    came : str
        The values as people read them.
    reason : str
        What the class said.
    """

    family: str
    rule: Rule | None
    came: str
    reason: str


def untrainable(
    root: Group, forbid: Sequence[Rule], tasks: Sequence[str], tries: Tries, seconds: float = _SECONDS
) -> list[Misfit]:
    """Return which values of the branches that name a class, or need another look, train for none of the tasks.

    The fits run on a thread of their own, which is waited for no longer than ``seconds``: no fit can be stopped from
    outside. What is not found by then is not found.
    """
    parts = [(name, part) for name, part in by_family(root) if _is_doubtful(part, name)]
    branches = [_Branch(name, part, forbid, tasks, tries) for name, part in parts]
    errors: list[BaseException] = []
    ends = time.monotonic() + seconds * _WORKING

    def work() -> None:
        try:
            for position, branch in enumerate(branches):
                left = ends - time.monotonic()
                branch.run(max(_LEAST_SHARE, left / (len(branches) - position)))
        except BaseException as error:  # told on the thread that waits
            errors.append(error)

    if branches:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), threadpool_limits(1):
            warnings.simplefilter("ignore")
            thread = Thread(target=work, name="automl-tryout", daemon=True)
            thread.start()
            thread.join(seconds)
    if errors:
        raise errors[0]
    return [misfit for branch in branches for misfit in branch.misfits()]


def _is_doubtful(part: Group, family: str) -> bool:
    model = part.children["model"] if family else None
    return isinstance(model, Branches) and bool(_DOUBTFUL & model.options[family].children.keys())


class _Enough(Exception):
    """The time is up, or as much as is wise has been tried."""


@dataclass
class _Blame:
    """A configuration that does not train, and what of it is to blame.

    Parameters
    ----------
    point : Point
        The configuration.
    reason : str
        What the class said.
    values : dict of int to list
        By spot, the values that would be as bad; empty until it is known which spots are to blame.
    """

    point: Point
    reason: str
    values: dict[int, list[Any]] = field(default_factory=dict)


class _Branch:
    """The fits of one branch, and what was found by them."""

    def __init__(
        self, name: str, part: Group, forbid: Sequence[Rule], tasks: Sequence[str], tries: Tries
    ) -> None:
        self.name, self.tasks, self.tries = name, tasks, tries
        self.rules = list(forbid)
        self.covering = Covering(part, self.refused, lambda path: path.split(".")[-1] in ITERATIONS)
        self.known: dict[str, str | None] = {}
        self.passed: list[Point] = []
        self.failed: list[tuple[Point, str]] = []  # of which it is not known why
        self.found: list[Misfit] = []
        self.ends = 0.0

    def run(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        with suppress(_Enough):
            self.look()

    def look(self) -> None:
        points = self.covering.points()
        point = next(points, None)
        while point is not None:
            reason = self.complaint(point)
            if reason is None:
                return
            if reason:
                self.failed.append((point, reason))
            else:
                self.passed.append(point)
            while self.passed and self.failed:
                self.explain(*self.failed[-1])
                self.failed.pop()
            point = _next(points, not reason)
        if self.failed:
            point, reason = self.failed.pop(0)
            self.failed.clear()
            self.found.append(Misfit(self.name, None, self.given(point), reason))

    def misfits(self) -> list[Misfit]:
        """Return what was found, or what failed first where there was no time to find out why."""
        return self.found or [self.misfit(_Blame(*failure)) for failure in self.failed[:1]]

    def refused(self, params: Mapping[str, Any]) -> bool:
        return any(rule.forbids(params) for rule in self.rules)

    def complaint(self, point: Point | None) -> str | None:
        """Return what all tasks' fits say against a configuration; empty if one trains, None if none is asked."""
        if point is None:
            return None
        key = str(sorted(point.items()))
        if key not in self.known:
            if time.monotonic() > self.ends or len(self.known) >= _MOST_FITS:
                raise _Enough
            configuration = self.covering.configuration(point)
            said: list[str] = []
            for task in self.tasks:
                reason = self.tries(task, configuration)
                said += [] if reason is None else [reason]
                if reason == "":
                    break
            self.known[key] = None if not said else "" if "" in said else said[0]
        return self.known[key]

    def explain(self, point: Point, reason: str) -> None:
        """Find the fewest values of a configuration that does not train with which none trains.

        As long as one that holds the values blamed so far trains, what keeps the two apart is to blame too.
        """
        if self.refused(self.covering.params(point)):
            return
        blame = _Blame(point, reason)
        with suppress(_Enough):
            self.blame(blame)
        misfit = self.misfit(blame)
        self.found.append(misfit)
        self.rules += [] if misfit.rule is None else [misfit.rule]
        if len(self.found) >= _MOST_FOUND:
            raise _Enough

    def misfit(self, blame: _Blame) -> Misfit:
        values = blame.values or {spot: [] for spot in blame.point if len(self.covering.values[spot]) > 1}
        conditions = [Condition("model", (self.name,))]
        for spot, others in sorted(values.items()):
            value = self.covering.values[spot][blame.point[spot]]
            conditions.append(self.condition(spot, [value, *others]))
        rule = Rule(tuple(conditions))
        shown = [f"{key}: {show(value)}" for key, value in rule.plain().items()][1:]
        if not shown:
            return Misfit(self.name, None, self.given(blame.point), blame.reason)
        return Misfit(self.name, rule, " with ".join(shown), blame.reason)

    def blame(self, blame: _Blame) -> None:
        """Narrow a configuration that does not train down to the values that bring that about."""
        blamed: set[int] = set()
        while (
            better := self.training_with({spot: blame.point[spot] for spot in blamed}, blame.point)
        ) is not None:
            for spot in sorted(better.keys() & blame.point.keys() - blamed):
                nearer = self.covering.change(blame.point, spot, better[spot])
                if nearer is not None and (said := self.complaint(nearer)):
                    blame.point, blame.reason = nearer, said
            apart = {spot for spot in blame.point if better.get(spot) != blame.point[spot]}
            if apart <= blamed:
                break
            blamed |= apart
        for spot in sorted(blamed):
            rest = {other: blame.point[other] for other in blamed - {spot}}
            if rest and self.training_with(rest, blame.point) is None:
                blamed.remove(spot)
        blame.values = {spot: [] for spot in blamed}
        # Several values of one key that go with the others just as badly are told together.
        alike = {spot: self.alike(blame.point, spot, blame.reason) for spot in sorted(blamed)}
        widest = max(alike, key=lambda spot: len(alike[spot]))
        fixed = {spot: blame.point[spot] for spot in blamed}
        for value in alike[widest]:
            if self.training_with({**fixed, widest: value}, blame.point) is None:
                blame.values[widest].append(self.covering.values[widest][value])

    def training_with(self, fixed: Point, point: Point) -> Point | None:
        """Return a configuration that trains with these values, best one like ``point``; None if none is found."""
        near = sorted(self.passed, key=lambda other: -len(point.items() & other.items()))
        for other in near[:_MOST_TRIES]:
            changed: Point | None = other
            for spot, value in fixed.items():
                changed = changed and self.covering.change(changed, spot, value)
            if changed is not None and self.complaint(changed) == "":
                return changed
        rng = np.random.default_rng(0)
        drawn = (self.covering.fill(fixed, rng=rng) for _ in range(_MOST_TRIES))
        return next((other for other in drawn if other is not None and self.complaint(other) == ""), None)

    def alike(self, point: Point, spot: int, reason: str) -> list[int]:
        """Return which values are refused in this place in the same words."""
        values = self.covering.values[spot]
        mine, found = str(values[point[spot]]), []
        for position, value in enumerate(values):
            said = self.complaint(self.covering.change(point, spot, position))
            if position != point[spot] and said and said.replace(str(value), "") == reason.replace(mine, ""):
                found.append(position)
        return found

    def condition(self, spot: int, values: list[Any]) -> Condition:
        """Return what means these values; both ends of a range mean all of it."""
        node = self.covering.spots[spot].node
        key = self.key(self.covering.spots[spot].path)
        for option in node.options if isinstance(node, Choices) else (node,):
            if isinstance(option, Range) and {option.low, option.last} == set(map(_hashable, values)):
                return Condition(key, above=0 if option.low > 0 else option.low - 1)
        return Condition(key, tuple(values))

    def key(self, path: str) -> str:
        """Return the shortest end of a path that means it alone."""
        words = path.split(".")
        ends = (".".join(words[-length:]) for length in range(1, len(words)))
        alone = (end for end in ends if sum(spot.answers(end) for spot in self.covering.spots) == 1)
        return next(alone, path)

    def given(self, point: Point) -> str:
        """Return the parameters that the branch gives its class."""
        above = f"model.{self.name}."
        shown = (
            f"{path.removeprefix(above)}: {show(value)}"
            for path, value in self.covering.params(point).items()
            if path.startswith(above) and not path.startswith(f"{above}preprocess")
        )
        return ", ".join(shown)


def _next(points: Generator[Point, bool, None], trained: bool) -> Point | None:
    try:
        return points.send(trained)
    except StopIteration:
        return None


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(value)
