"""A checked search space, and what can be asked of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from automl.errors import Fault, SpaceError
from automl.space.choosers import RandomChooser, TrialChooser
from automl.space.nodes import Branches, Choices, Constant, Group, Node, canonical
from automl.space.walk import Decision, build, follow

__all__ = ["Fits", "Space"]

Configuration = dict[str, Any]
Fits = Callable[[str, str, Mapping[str, Any]], str | None]
"""From task, family and some of its parameters to why they do not go together; None where they do."""

_MODEL = "model"


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
    """

    name: str
    about: str
    tasks: tuple[str, ...]
    root: Group

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return (self.name, self.about, self.digest()) == (other.name, other.about, other.digest())

    def __hash__(self) -> int:
        return hash(self.digest())

    def suggest(self, trial: Any) -> Configuration:
        """Return the configuration an Optuna trial proposes.

        Parameters
        ----------
        trial : optuna.trial.BaseTrial
            Anything with ``suggest_categorical``, ``suggest_float`` and ``suggest_int``.
        """
        return build(self.root, TrialChooser(trial))

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Return a random configuration, weights and logarithms kept."""
        return build(self.root, RandomChooser(rng))

    def validate(self, configuration: Mapping[str, Any]) -> None:
        """Raise unless the configuration is a point of the space.

        Raises
        ------
        SpaceError
            Everything by which it leaves the space.
        """
        self._decisions(configuration)

    def params(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration flat: every value by its dotted path, constants too."""
        return {decision.path: decision.value for decision in self._decisions(configuration)}

    def digest(self) -> str:
        """Return 16 hexadecimal digits that equal trees share, in whatever form or order written."""
        text = json.dumps([sorted(self.tasks), canonical(self.root)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def restrict(self, task: str, fits: Fits | None = None) -> Space:
        """Return what is left of the space for one task.

        Parameters
        ----------
        task : {"binary", "multiclass", "regression"}
            The task.
        fits : callable, optional
            ``fits(task, family, params)`` says why a family, alone or with one parameter, is not for the
            task; what it speaks against is left out.

        Raises
        ------
        SpaceError
            If the space is for other tasks, or no family is left.
        """
        if task not in self.tasks:
            came = f"a space for {', '.join(self.tasks)}"
            raise SpaceError(Fault(f"space {self.name}", f"must be for {task}", came, "Change its `task`."))
        root, reasons = _restricted(self.root, task, fits or (lambda task, family, params: None))
        model = root.children.get(_MODEL)
        if isinstance(model, Branches) and not model.options:
            came = "; ".join(f"{family}: {reason}" for family, reason in reasons.items())
            raise SpaceError(Fault(f"space {self.name}", f"must have a family for {task}", came))
        return replace(self, tasks=(task,), root=root)

    def _decisions(self, configuration: Mapping[str, Any]) -> list[Decision]:
        found = list(follow(self.root, configuration))
        faults = [item for item in found if isinstance(item, Fault)]
        if faults:
            raise SpaceError(faults)
        return [item for item in found if isinstance(item, Decision)]


def _restricted(root: Group, task: str, fits: Fits) -> tuple[Group, dict[str, str]]:
    model = root.children.get(_MODEL)
    reasons: dict[str, str] = {}
    if not isinstance(model, Branches):
        return root, reasons
    kept: dict[str, Group] = {}
    for family, branch in model.options.items():
        reason = fits(task, family, {})
        children: dict[str, Node] = {}
        for key, child in branch.children.items():
            left, why = _fitting(child, partial(_with_value, fits, task, family, key))
            if left is None:
                reason = reason or f"{key}: {why}"
            else:
                children[key] = left
        if reason:
            reasons[family] = reason
        else:
            kept[family] = Group(children)
    weights = model.weights and tuple(
        weight for family, weight in zip(model.options, model.weights, strict=True) if family in kept
    )
    return Group({**root.children, _MODEL: Branches(kept, weights or None)}), reasons


def _with_value(fits: Fits, task: str, family: str, key: str, value: Any) -> str | None:
    return fits(task, family, {key: value})


def _fitting(node: Node, reason: Callable[[Any], str | None]) -> tuple[Node | None, str]:
    """Return what is left of a parameter once values that do not fit are gone, and why one went."""
    match node:
        case Constant(value):
            why = reason(value) or ""
            return (None if why else node), why
        case Choices(options, weights):
            reasons = [reason(option.value) if isinstance(option, Constant) else None for option in options]
            left = [index for index, why in enumerate(reasons) if not why]
            kept = tuple(options[index] for index in left)
            shares = tuple(weights[index] for index in left) if weights else None
            found: Node | None = Choices(kept, shares) if len(kept) > 1 else kept[0] if kept else None
        case Branches(branches, weights):
            reasons = [reason({name: {}}) for name in branches]
            left = [index for index, why in enumerate(reasons) if not why]
            names = [list(branches)[index] for index in left]
            shares = tuple(weights[index] for index in left) if weights else None
            found = Branches({name: branches[name] for name in names}, shares) if names else None
        case _:
            return node, ""
    return found, next((why for why in reasons if why), "")
