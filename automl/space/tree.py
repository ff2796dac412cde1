"""Configurations of a whole tree, and the sources of their values.

A key of a chosen branch hides the shared key of the same name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.errors import Fault, SpaceError
from automl.space.containers import Conditional, Section
from automl.space.leaves import Range
from automl.space.nodes import Decision, Scalar, ValueSource
from automl.space.syntax import FAMILY_PARAM, show

__all__ = [
    "DefaultSource",
    "RandomSource",
    "Size",
    "TrialSource",
    "by_family",
    "decisions",
    "families",
    "grid",
    "instantiate",
    "params_of",
    "size",
    "trace",
    "weighted_categories",
]

_MAX_CATEGORIES = 60


@dataclass(frozen=True)
class Size:
    """The size of a space.

    Parameters
    ----------
    points : int or None
        Number of configurations, counted with all ways to reach them; None where infinite.
    dimensions : mapping
        Number of searched values of each family, those shared by the families included.
    """

    points: int | None
    dimensions: Mapping[str, int]


def instantiate(root: Section, source: ValueSource) -> dict[str, Any]:
    """Return a configuration with values from ``source``, without hidden keys."""
    chosen = {
        key: child.instantiate(key, source)
        for key, child in root.children.items()
        if isinstance(child, Conditional)
    }
    hidden = _hidden_keys(root, chosen)
    return {
        key: chosen[key] if key in chosen else child.instantiate(key, source)
        for key, child in root.children.items()
        if key not in hidden
    }


def trace(root: Section, configuration: Any) -> Iterator[Decision | Fault]:
    """Yield the decisions of a configuration, and a fault for each part outside the space."""
    if not isinstance(configuration, Mapping):
        yield Fault("configuration", "must be a mapping", show(configuration))
        return
    hidden = _hidden_keys(root, configuration)
    shown = {key: child for key, child in root.children.items() if key not in hidden}
    yield from Section(shown).trace(configuration, "")


def params_of(root: Section, configuration: Any) -> dict[str, Any]:
    """Return a configuration flat: every value by its dotted path.

    Raises
    ------
    SpaceError
        If the configuration is outside the space.
    """
    return {decision.path: decision.value for decision in decisions(root, configuration)}


def decisions(root: Section, configuration: Any) -> list[Decision]:
    """Return the decisions of a configuration.

    Raises
    ------
    SpaceError
        If the configuration is outside the space.
    """
    found = list(trace(root, configuration))
    faults = [item for item in found if isinstance(item, Fault)]
    if faults:
        raise SpaceError(faults)
    return [item for item in found if isinstance(item, Decision)]


def families(root: Section) -> Mapping[str, Section]:
    """Return the branches of the model families by name; none in a space without such a choice."""
    model = root.children.get(FAMILY_PARAM)
    return model.options if isinstance(model, Conditional) else {}


def by_family(root: Section) -> Iterator[tuple[str, Section]]:
    """Yield for each family its name and the tree with this family alone, without hidden keys."""
    if not isinstance(root.children.get(FAMILY_PARAM), Conditional):
        yield "", root
    for name, branch in families(root).items():
        hidden = _hidden_keys(root, {FAMILY_PARAM: name})
        alone = {**root.children, FAMILY_PARAM: Conditional({name: branch})}
        yield name, Section({key: child for key, child in alone.items() if key not in hidden})


def size(root: Section) -> Size:
    """Return the size of a tree; forbidden combinations are counted too."""
    parts = dict(by_family(root))
    counts = [part.n_points for part in parts.values()]
    points = None if None in counts else sum(count or 0 for count in counts)
    return Size(points, {name: part.n_dimensions for name, part in parts.items()})


def grid(root: Section, resolution: int) -> Iterator[dict[str, Any]]:
    """Yield the configurations of a grid, with ``resolution`` numbers for each range."""
    for _, part in by_family(root):
        yield from part.grid(resolution)


def _hidden_keys(root: Section, configuration: Mapping[str, Any]) -> set[str]:
    """Return the top-level keys that the chosen branches have of their own."""
    hidden: set[str] = set()
    for key, child in root.children.items():
        value = configuration.get(key)
        if isinstance(child, Conditional) and isinstance(value, Mapping | str) and value:
            branch = child.options.get(value if isinstance(value, str) else next(iter(value)))
            hidden |= (branch.children.keys() if branch else set()) & root.children.keys()
    return hidden


class RandomSource:
    """Draws values as the space is written, with its weights and logarithms.

    Parameters
    ----------
    rng : numpy.random.Generator
        The generator.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def option(self, path: str, labels: Sequence[Scalar], weights: tuple[float, ...] | None) -> int:
        """Draw an option by its weight."""
        shares = None if weights is None else np.asarray(weights) / np.sum(weights)
        return int(self.rng.choice(len(labels), p=shares))

    def number(self, path: str, node: Range) -> float:
        """Draw a number; a fidelity gets its greatest value."""
        if node.fidelity:
            return node.last
        if node.step:
            return node.nth(int(self.rng.integers(node.n_values or 1)))
        # A whole number owns half a unit on either side, so that the ends are as likely as their neighbours.
        margin = 0.5 if node.integer else 0.0
        low, high = node.low - margin, node.high + margin
        drawn = (
            math.exp(self.rng.uniform(math.log(low), math.log(high)))
            if node.log
            else self.rng.uniform(low, high)
        )
        drawn = min(max(drawn, node.low), node.high)
        return round(drawn) if node.integer else drawn


class TrialSource:
    """Asks an Optuna trial, or an object with its three ``suggest`` methods.

    Options are asked for in the order of their text, so that spaces with the same digest ask the same.
    Optuna has no weights; an option with a greater weight gets more categories, the prior its samplers start from.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        The trial.
    """

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    def option(self, path: str, labels: Sequence[Scalar], weights: tuple[float, ...] | None) -> int:
        """Suggest one of the options."""
        categories = weighted_categories(labels, weights)
        return categories[self.trial.suggest_categorical(path, list(categories))]

    def number(self, path: str, node: Range) -> float:
        """Suggest a number; a fidelity gets its greatest value without a question."""
        if node.fidelity:
            return node.last
        if node.integer:
            step = 1 if node.step is None else int(node.step)
            return int(self.trial.suggest_int(path, int(node.low), int(node.last), step=step, log=node.log))
        return float(self.trial.suggest_float(path, node.low, node.last, step=node.step, log=node.log))


class DefaultSource:
    """Chooses given defaults where the space has them, otherwise first options and low ends.

    Parameters
    ----------
    defaults : mapping
        Values by path.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.defaults = defaults

    def option(self, path: str, labels: Sequence[Scalar], weights: tuple[float, ...] | None) -> int:
        """Return the position of the default, or 0."""
        default = self.defaults.get(path, ...)
        same = (i for i, label in enumerate(labels) if type(label) is type(default) and label == default)
        return next(same, 0)

    def number(self, path: str, node: Range) -> float:
        """Return the default, or the low end."""
        default = self.defaults.get(path)
        return node.low if default is None or not node.contains(default) else default


def weighted_categories(labels: Sequence[Scalar], weights: tuple[float, ...] | None) -> dict[Scalar, int]:
    """Return Optuna's categories, each with the position of its option.

    Examples
    --------
    >>> weighted_categories(["mlp", "linear"], (1.0, 2.0))
    {'linear': 1, 'linear (2)': 1, 'mlp': 0}
    """
    counts = _counts(weights) if weights else [1] * len(labels)
    order = sorted(range(len(labels)), key=lambda i: (isinstance(labels[i], str), str(labels[i])))
    found: dict[Scalar, int] = {}
    for index in order:
        for copy in range(1, counts[index] + 1):
            found[labels[index] if copy == 1 else f"{labels[index]} ({copy})"] = index
    return found


def _counts(weights: tuple[float, ...]) -> list[int]:
    """Return the small whole numbers nearest to the weights' proportions."""
    shares = np.asarray(weights) / min(weights)
    shares = np.minimum(shares, _MAX_CATEGORIES / len(weights))
    errors = {
        scale: float(np.max(np.abs(shares * scale - np.round(shares * scale)) / shares))
        for scale in range(1, 11)
        if scale == 1 or scale * shares.sum() <= _MAX_CATEGORIES
    }
    scale = min(errors, key=lambda scale: (round(errors[scale], 2), scale))
    return [max(1, round(share * scale)) for share in shares.tolist()]
