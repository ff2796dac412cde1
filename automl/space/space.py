"""A checked search space, and what can be asked of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import Fault, SpaceError
from automl.space.choosers import RandomChooser, TrialChooser, encode
from automl.space.describe import tree
from automl.space.diff import Change, changes, limit_changes
from automl.space.grid import Size, grid, size
from automl.space.index import spots
from automl.space.nodes import Constant, Group, Range, canonical, leaves
from automl.space.raw import Faults, from_python
from automl.space.restrict import Fits, held, restricted, settled, without
from automl.space.rules import Rule, Start, read_start
from automl.space.tryout import Tries, untrainable
from automl.space.walk import Decision, build, follow
from automl.space.words import TASKS, VERSION
from automl.space.write import plain, to_yaml

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["Space"]

Configuration = dict[str, Any]

_MAX_DRAWS = 5000


def _always(path: str) -> bool:
    return True


@dataclass(frozen=True, eq=False)
class Space:
    """What may be tried; made by `load_space`.

    Parameters
    ----------
    name, about : str
        What people call it, and one line for them.
    tasks : tuple of str
        The tasks it is for.
    root : Group
        The tree.
    forbid : tuple of Rule
        What must not meet.
    enqueue : tuple of Start
        Known good starts.
    constraints : mapping of str to float
        Limits on what is measured of a trial.
    structural : callable
        ``structural(path)`` tells whether the value of this path must be equal for trials to train together.
    excluded : tuple of str
        What `specialise` has left out, each with the reason.
    """

    name: str
    about: str
    tasks: tuple[str, ...]
    root: Group
    forbid: tuple[Rule, ...] = ()
    enqueue: tuple[Start, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)
    structural: Callable[[str], bool] = _always
    excluded: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        mine, others = (
            (space.digest(), space.name, space.about, space.initial_params) for space in (self, other)
        )
        return mine == others

    def __hash__(self) -> int:
        return hash(self.digest())

    def suggest(self, trial: Any) -> Configuration:
        """Return the configuration an Optuna trial proposes; see `forbidden` before training it.

        Parameters
        ----------
        trial : optuna.trial.BaseTrial
            Anything with ``suggest_categorical``, ``suggest_float`` and ``suggest_int``.
        """
        return build(self.root, TrialChooser(trial))

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Return a random configuration that is not forbidden, weights and logarithms kept."""
        for _ in range(_MAX_DRAWS):
            configuration = build(self.root, RandomChooser(rng))
            if not self.forbid or not self.forbidden(configuration):
                return configuration
        raise SpaceError(Fault(f"space {self.name}", "must have room beside what it forbids", "none found"))

    def grid(self, resolution: int = 5) -> Iterator[Configuration]:
        """Yield every configuration of a grid with ``resolution`` numbers a range, but for forbidden ones."""
        for configuration in grid(self.root, resolution):
            if not self.forbid or not self.forbidden(configuration):
                yield deepcopy(configuration)

    def validate(self, configuration: Mapping[str, Any]) -> None:
        """Raise unless the configuration is a point of the space and not forbidden.

        Raises
        ------
        SpaceError
            Everything by which it leaves the space.
        """
        rule = self.forbidden(configuration)
        if rule:
            raise SpaceError(Fault("configuration", "must not be forbidden", rule))

    def params(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration flat: every value by its dotted path, constants too."""
        return {decision.path: decision.value for decision in self._decisions(configuration)}

    def forbidden(self, configuration: Mapping[str, Any]) -> str:
        """Return the rule that forbids a configuration; empty where none does."""
        params = self.params(configuration)
        return next((str(rule) for rule in self.forbid if rule.forbids(params)), "")

    def structure(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return what must be equal for trials to train together, by path."""
        return {path: value for path, value in self.params(configuration).items() if self.structural(path)}

    def to_trial(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of the Optuna trial that `suggest` makes this configuration of."""
        found: dict[str, Any] = {}
        for decision in self._decisions(configuration):
            found |= encode(decision.node, decision.path, decision.value)
        return found

    @property
    def initial_params(self) -> tuple[dict[str, Any], ...]:
        """The known good starts as Optuna's parameters, for ``study.enqueue_trial``; they may be partial."""
        nodes = dict(leaves(self.root))
        return tuple(
            {
                name: part
                for path, value in start.values.items()
                for name, part in encode(nodes[path], path, value).items()
            }
            for start in self.enqueue
        )

    @property
    def fidelity(self) -> dict[str, tuple[float, float]]:
        """The least and the full amount of training, by path, where the space gives a range of it."""
        return {
            path: (node.low, node.last)
            for path, node in leaves(self.root)
            if isinstance(node, Range) and node.fidelity
        }

    def offers(self, key: str, value: Any) -> bool:
        """Return whether some configuration has this value under a key, be it a path or the end of one."""
        return any(spot.answers(key) and spot.takes(value) for spot in spots(self.root))

    def size(self) -> Size:
        """Return how many points there are, and how many dimensions each family has."""
        return size(self.root)

    def digest(self) -> str:
        """Return 16 hexadecimal digits that spaces of the same points share.

        Names, remarks and starts do not count, nor does the order or the form in which it was written.
        """
        rules = sorted(rule.canonical() for rule in self.forbid)
        limits = [dict(sorted(self.constraints.items()))] if self.constraints else []
        text = json.dumps([sorted(self.tasks), canonical(self.root), rules, *limits])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> Tree:
        """Return the space as a tree that `rich.print` shows."""
        return tree(self.root, f"{self.name} for {', '.join(self.tasks)}", self.about, self.constraints)

    def to_dict(self) -> dict[str, Any]:
        """Return the space in the language, as plain values; parts and included files stand written out."""
        document: dict[str, Any] = {"version": VERSION, "name": self.name}
        document |= {"about": self.about} if self.about else {}
        document |= {"task": list(self.tasks)} if self.tasks != TASKS else {}
        document["space"] = plain(self.root)
        document |= {"forbid": [rule.plain() for rule in self.forbid]} if self.forbid else {}
        document |= {"enqueue": [dict(start.written) for start in self.enqueue]} if self.enqueue else {}
        return document | ({"constraints": dict(self.constraints)} if self.constraints else {})

    def to_yaml(self) -> str:
        """Return the space as YAML that loads to an equal space."""
        return to_yaml(self.to_dict())

    def diff(self, other: Space) -> tuple[Change, ...]:
        """Return what came, went, widened, narrowed or changed on the way to another space.

        Whether a trial of this space is a point of the other is ``other.accepts(configuration)``.
        """
        found = list(changes(self.root, other.root))
        old, new = ({rule.canonical(): str(rule) for rule in space.forbid} for space in (self, other))
        found += [Change("went", "forbid", rule, "", True) for text, rule in old.items() if text not in new]
        found += [Change("came", "forbid", "", rule, False) for text, rule in new.items() if text not in old]
        return (*found, *limit_changes(self.constraints, other.constraints))

    def accepts(self, configuration: Mapping[str, Any]) -> bool:
        """Return whether a configuration, perhaps of an older space, is a point of this one."""
        try:
            self.validate(configuration)
        except SpaceError:
            return False
        return True

    def specialise(self, task: str, fits: Fits | None = None, tries: Tries | None = None) -> Space:
        """Return what is left of the space for one task; its ``excluded`` says what is not.

        Parameters
        ----------
        task : {"binary", "multiclass", "regression"}
            The task.
        fits : callable, optional
            ``fits(task, family, params)`` says why a family, alone or with one parameter, is not for the
            task; what it speaks against is left out.
        tries : callable, optional
            ``tries(task, configuration)`` fits one to next to nothing and says what there is against it; values of
            an ``estimator:`` branch that do not train together are forbidden.

        Raises
        ------
        SpaceError
            If the space is for other tasks, no family is left, or all that is left is forbidden.
        """
        if task not in self.tasks:
            came = f"a space for {', '.join(self.tasks)}"
            raise SpaceError(Fault(f"space {self.name}", f"must be for {task}", came, "Change its `task`."))
        root, excluded = restricted(self.root, task, fits or (lambda task, family, params: None))
        tried = untrainable(root, self.forbid, (task,), tries) if root and tries else []
        excluded += tuple(
            f"{misfit.family} with {misfit.came}: {misfit.reason}"
            if misfit.rule
            else f"{misfit.family}: {misfit.reason}"
            for misfit in tried
        )
        if root is not None:
            root = without(root, {misfit.family for misfit in tried if misfit.rule is None})
        if root is None:
            came = "; ".join(excluded)
            raise SpaceError(Fault(f"space {self.name}", f"must have a family for {task}", came))
        forbid = (*self.forbid, *(misfit.rule for misfit in tried if misfit.rule is not None))
        space = replace(self._left(root, forbid, excluded), tasks=(task,))
        if space.forbid:
            space.sample(np.random.default_rng(0))
        return space

    def require(self, path: str, value: Any, reason: str) -> Space:
        """Return what is left of the space where preprocessing must have one value; ``excluded`` says what is not.

        Parameters
        ----------
        path : str
            What of the preprocessing must have it, in the shared section or a family's own: ``"text.encode"``.
        value : str or float
            The value.
        reason : str
            Why others, families that have others alone, and sections that name none are left out.

        Raises
        ------
        SpaceError
            If no family is left.
        """
        root, excluded = held(self.root, path, value, reason)
        if root is None:
            rule = f"must have a family with {path}: {value}"
            remedy = "Write it under `preprocess`."
            raise SpaceError(Fault(f"space {self.name}", rule, "; ".join(excluded), remedy))
        return self._left(root, self.forbid, excluded)

    def drop_irrelevant(self, path: str, reason: str) -> Space:
        """Return the space with nothing to choose of the preprocessing under ``path``, as all of it comes to the same.

        Rules that name it go with it, starts keep what else they name, and ``excluded`` says so.

        Parameters
        ----------
        path : str
            A part or a parameter, in the shared section or a family's own: ``"categorical"``, ``"numeric.impute"``.
        reason : str
            Why it makes no difference.
        """
        root = settled(self.root, path)
        known = list(spots(root))
        left = {spot.path for spot in known}
        gone = [
            spot for spot in spots(self.root) if spot.path not in left and not isinstance(spot.node, Constant)
        ]
        if not gone:
            return self

        def takes(key: str, value: Any) -> bool:
            return any(spot.answers(key) and spot.takes(value) for spot in known)

        def possible(rule: Rule) -> bool:
            conditions = rule.conditions
            return all(
                any(spot.answers(one.key) and one.possible(spot) for spot in known) for one in conditions
            )

        written = (
            {key: value for key, value in start.written.items() if takes(key, value)}
            for start in self.enqueue
        )
        starts = tuple(
            replace(start, written=some) for start, some in zip(self.enqueue, written, strict=True)
        )
        rules = tuple(rule for rule in self.forbid if possible(rule))
        return replace(self, enqueue=starts)._left(
            root, rules, tuple(f"{spot.path}: {reason}" for spot in gone)
        )

    def _left(self, root: Group, forbid: tuple[Rule, ...], excluded: tuple[str, ...]) -> Space:
        """Return the space that has come down to this, without the starts that are no longer in it."""
        known = list(spots(root))
        starts = (
            read_start(from_python(start.written, Faults()), known, "", lambda *fault: None)
            for start in self.enqueue
        )
        kept = tuple(
            start
            for start in starts
            if start is not None and not any(rule.forbids(start.values) for rule in forbid)
        )
        return replace(self, root=root, forbid=forbid, enqueue=kept, excluded=(*self.excluded, *excluded))

    def _decisions(self, configuration: Mapping[str, Any]) -> list[Decision]:
        found = list(follow(self.root, configuration))
        faults = [item for item in found if isinstance(item, Fault)]
        if faults:
            raise SpaceError(faults)
        return [item for item in found if isinstance(item, Decision)]
