"""A checked search space and its operations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import Fault, SpaceError
from automl.space.containers import Section
from automl.space.diff import Change, changes, limit_changes
from automl.space.foreign import SmokeTest, broken_branches
from automl.space.leaves import Constant, Range
from automl.space.nodes import escaped
from automl.space.rules import Condition, Forbidden, InitialPoint, read_initial_point
from automl.space.source import Reporter, from_python
from automl.space.specialise import (
    Incompatibility,
    with_preprocessing,
    without_families,
    without_incompatible,
    without_preprocessing,
)
from automl.space.syntax import PREPROCESS_PARAM, TASKS, VERSION, show
from automl.space.tree import (
    RandomSource,
    Size,
    TrialSource,
    decisions,
    families,
    grid,
    instantiate,
    params_of,
    size,
)
from automl.space.when import TableFacts, When
from automl.space.yaml_io import to_yaml

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["Space"]

Configuration = dict[str, Any]

_MAX_DRAWS = 5000


def _always(path: str) -> bool:
    return True


@dataclass(frozen=True, eq=False)
class Space:
    """A search space; made by `load_space`.

    Parameters
    ----------
    name, about : str
        Its name, and one line about it.
    tasks : tuple of str
        Its tasks.
    root : Section
        The tree.
    forbid : tuple of Forbidden
        Forbidden combinations.
    enqueue : tuple of InitialPoint
        Good configurations to try first.
    constraints : mapping of str to float
        Limits on the results of a trial.
    columns : mapping of str to str
        Types of columns of the table by name, as in ``Search(columns=...)``.
    positive_class : text, number, bool or None
        The positive class of two, as in ``Search(positive_class=...)``.
    structural : callable
        ``structural(path)`` returns whether the value of this path must be equal for trials to train together.
    excluded : tuple of str
        The families and values that `specialise` and its like have excluded, each with the reason.
    """

    name: str
    about: str
    tasks: tuple[str, ...]
    root: Section
    forbid: tuple[Forbidden, ...] = ()
    enqueue: tuple[InitialPoint, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    positive_class: str | float | bool | None = None
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
        """Return the configuration that an Optuna trial proposes; it may be `forbidden`.

        Parameters
        ----------
        trial : optuna.trial.BaseTrial
            A trial, or an object with ``suggest_categorical``, ``suggest_float`` and ``suggest_int``.
        """
        return instantiate(self.root, TrialSource(trial))

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Return a random configuration that is not forbidden, by the weights and logarithms of the space."""
        for _ in range(_MAX_DRAWS):
            configuration = instantiate(self.root, RandomSource(rng))
            if not self.forbid or not self.forbidden(configuration):
                return configuration
        raise SpaceError(
            Fault(f"space {self.name}", "must have configurations that are not forbidden", "none found")
        )

    def grid(self, resolution: int = 5) -> Iterator[Configuration]:
        """Yield the allowed configurations of a grid with ``resolution`` numbers for each range."""
        for configuration in grid(self.root, resolution):
            if not self.forbid or not self.forbidden(configuration):
                yield deepcopy(configuration)

    def validate(self, configuration: Mapping[str, Any]) -> None:
        """Raise unless the configuration is a point of the space and not forbidden.

        Raises
        ------
        SpaceError
            With every fault.
        """
        rule = self.forbidden(configuration)
        if rule:
            raise SpaceError(Fault("configuration", "must not be forbidden", rule))

    def params(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration flat: every value by its dotted path, constants too."""
        return params_of(self.root, configuration)

    def forbidden(self, configuration: Mapping[str, Any]) -> str:
        """Return the rule that forbids a configuration; empty if it is allowed."""
        params = self.params(configuration)
        return next((str(rule) for rule in self.forbid if rule.forbids(params)), "")

    def structure(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that must be equal for trials to train together, by path."""
        return {path: value for path, value in self.params(configuration).items() if self.structural(path)}

    def to_trial(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of the Optuna trial for which `suggest` returns this configuration."""
        found: dict[str, Any] = {}
        for decision in decisions(self.root, configuration):
            found |= decision.node.encode(decision.path, decision.value)
        return found

    @property
    def initial_params(self) -> tuple[dict[str, Any], ...]:
        """The initial points as Optuna's parameters, for ``study.enqueue_trial``; they may be partial."""
        nodes = {ref.path: ref.node for ref in self.root.params()}
        return tuple(
            {
                name: part
                for path, value in point.values.items()
                for name, part in nodes[path].encode(path, value).items()
            }
            for point in self.enqueue
        )

    @property
    def fidelity(self) -> dict[str, tuple[float, float]]:
        """The least and the full training length by path, where the space has a range of it."""
        return {
            ref.path: (ref.node.low, ref.node.last)
            for ref in self.root.params()
            if isinstance(ref.node, Range) and ref.node.fidelity
        }

    def offers(self, key: str, value: Any) -> bool:
        """Return whether some configuration has this value under a key: a path or the end of one."""
        return any(ref.matches(key) and ref.contains(value) for ref in self.root.params())

    @property
    def family_names(self) -> tuple[str, ...]:
        """Names of the model families."""
        return tuple(families(self.root))

    def forbidding(self, conditions: Mapping[str, Sequence[Any]]) -> Space:
        """Return the space with one more rule: these keys must not all have one of their values."""
        rule = Forbidden(tuple(Condition(key, tuple(values)) for key, values in conditions.items()))
        return replace(self, forbid=(*self.forbid, rule))

    def size(self) -> Size:
        """Return the number of points, and the dimensions of each family."""
        return size(self.root)

    def digest(self) -> str:
        """Return 16 hexadecimal digits that spaces of the same points share.

        Names, remarks and initial points do not count, nor does the order or the form of the source.
        """
        rules = sorted(rule.canonical() for rule in self.forbid)
        limits = [dict(sorted(self.constraints.items()))] if self.constraints else []
        text = json.dumps([sorted(self.tasks), self.root.canonical(), rules, *limits])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> Tree:
        """Return the space as a tree that `rich.print` shows."""
        from rich.tree import Tree

        title = f"[bold]{escaped(self.name)} for {', '.join(self.tasks)}[/]"
        about = f"\n[dim]{escaped(self.about)}[/]" if self.about else ""
        top = Tree(title + about, guide_style="dim")
        self.root.draw_below(top)
        if self.constraints:
            below = top.add("[bold]constraints[/] [dim]on the result[/]")
            for name, limit in self.constraints.items():
                below.add(f"{escaped(name)}  [green]at most {show(limit)}[/]")
        return top

    def to_dict(self) -> dict[str, Any]:
        """Return the space in the language, as plain values, with definitions and included files inserted."""
        document: dict[str, Any] = {"version": VERSION, "name": self.name}
        document |= {"about": self.about} if self.about else {}
        document |= {"task": list(self.tasks)} if self.tasks != TASKS else {}
        document["space"] = self.root.to_plain()
        document |= {"forbid": [rule.to_plain() for rule in self.forbid]} if self.forbid else {}
        document |= {"enqueue": [point.to_plain() for point in self.enqueue]} if self.enqueue else {}
        document |= {"constraints": dict(self.constraints)} if self.constraints else {}
        document |= {"columns": dict(self.columns)} if self.columns else {}
        return document | ({} if self.positive_class is None else {"positive_class": self.positive_class})

    def to_yaml(self) -> str:
        """Return the space as YAML that loads to an equal space."""
        return to_yaml(self.to_dict())

    def diff(self, other: Space) -> tuple[Change, ...]:
        """Return the changes from this space to another.

        Whether a trial of this space is valid in the other: ``other.accepts(configuration)``.
        """
        found = list(changes(self.root, other.root))
        old, new = ({rule.canonical(): str(rule) for rule in space.forbid} for space in (self, other))
        found += [Change("went", "forbid", rule, "", True) for text, rule in old.items() if text not in new]
        found += [Change("came", "forbid", "", rule, False) for text, rule in new.items() if text not in old]
        return (*found, *limit_changes(self.constraints, other.constraints))

    def accepts(self, configuration: Mapping[str, Any]) -> bool:
        """Return whether a configuration, perhaps of an older space, is a point of this space."""
        try:
            self.validate(configuration)
        except SpaceError:
            return False
        return True

    def specialise(
        self, task: str, incompatibility: Incompatibility | None = None, smoke_test: SmokeTest | None = None
    ) -> Space:
        """Return the space for one task, without the families and values that are not for it.

        Parameters
        ----------
        task : {"binary", "multiclass", "regression"}
            The task.
        incompatibility : callable, optional
            ``incompatibility(task, family, params)`` returns why a family, alone or with one parameter, is not for
            the task; such families and values are excluded.
        smoke_test : callable, optional
            ``smoke_test(task, configuration)`` makes a tiny fit and returns its error; families whose default
            configuration does not train are excluded.

        Raises
        ------
        SpaceError
            If the space is for other tasks, no family is left, or all that is left is forbidden.
        """
        if task not in self.tasks:
            came = f"a space for {', '.join(self.tasks)}"
            raise SpaceError(Fault(f"space {self.name}", f"must be for {task}", came, "Change its `task`."))
        check = incompatibility or (lambda task, family, params: None)
        root, excluded = without_incompatible(self.root, task, check)
        if root is not None and smoke_test is not None:
            broken = broken_branches(root, self.forbid, (task,), smoke_test)
            excluded += tuple(f"{branch.family}: {branch.error}" for branch in broken)
            root = without_families(root, {branch.family for branch in broken})
        if root is None:
            came = "; ".join(excluded)
            raise SpaceError(Fault(f"space {self.name}", f"must have a family for {task}", came))
        space = replace(self._reduced(root, self.forbid, excluded), tasks=(task,))
        if space.forbid:
            space.sample(np.random.default_rng(0))
        return space

    def require(self, path: str, values: Sequence[Any], reason: str) -> Space:
        """Return the space with some values of the preprocessing alone.

        Families with other values, and sections without this path, are excluded.

        Parameters
        ----------
        path : str
            A parameter of the preprocessing, in the shared section or a family's own: ``"text.encode"``.
        values : sequence of str or float
            The values.
        reason : str
            Why other values are excluded.

        Raises
        ------
        SpaceError
            If no family is left.
        """
        root, excluded = with_preprocessing(self.root, path, values, reason)
        if root is None:
            rule = f"must have a family with {path}: {' or '.join(map(str, values))}"
            remedy = f"Write it under `{PREPROCESS_PARAM}`."
            raise SpaceError(Fault(f"space {self.name}", rule, "; ".join(excluded), remedy))
        return self._reduced(root, self.forbid, excluded)

    def for_table(self, facts: TableFacts) -> Space:
        """Return the space with the initial points whose condition holds for a table, each once."""
        points: list[InitialPoint] = []
        for point in self.enqueue:
            if point.when.holds(facts) and all(point.values != other.values for other in points):
                points.append(replace(point, when=When()))
        return replace(self, enqueue=tuple(points))

    def drop_irrelevant(self, reasons: Mapping[str, str]) -> Space:
        """Return the space without the choices of preprocessing that make no difference.

        Rules that name them are dropped; initial points keep their other values.

        Parameters
        ----------
        reasons : mapping of str to str
            Why a part or a parameter makes no difference, by its path in the shared section or a family's own:
            ``"categorical"``, ``"numeric.impute"``.
        """
        root, excluded = self.root, []
        for path, reason in reasons.items():
            smaller = without_preprocessing(root, path)
            left = {ref.path for ref in smaller.params()}
            gone = [
                ref for ref in root.params() if ref.path not in left and not isinstance(ref.node, Constant)
            ]
            if gone:
                root = smaller
                excluded += [f"{ref.path}: {reason}" for ref in gone]
        if root is self.root:
            return self
        known = list(root.params())
        rules = tuple(
            rule
            for rule in self.forbid
            if all(
                any(ref.matches(one.key) and one.possible(ref) for ref in known) for one in rule.conditions
            )
        )
        points = tuple(
            replace(
                point,
                written={
                    key: value
                    for key, value in point.written.items()
                    if any(ref.matches(key) and ref.contains(value) for ref in known)
                },
            )
            for point in self.enqueue
        )
        return replace(self, enqueue=points)._reduced(root, rules, tuple(excluded))

    def _reduced(self, root: Section, forbid: tuple[Forbidden, ...], excluded: tuple[str, ...]) -> Space:
        """Return the space with a smaller tree, without the initial points that are no longer in it."""
        known = list(root.params())
        points = (
            read_initial_point(from_python(point.to_plain(), Reporter()), known, "", Reporter())
            for point in self.enqueue
        )
        kept = tuple(
            point
            for point in points
            if point is not None and not any(rule.forbids(point.values) for rule in forbid)
        )
        return replace(self, root=root, forbid=forbid, enqueue=kept, excluded=(*self.excluded, *excluded))
