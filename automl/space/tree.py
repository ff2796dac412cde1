"""A whole tree: a key of a chosen branch hides the shared key of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automl.errors import Fault, SpaceError
from automl.space.containers import Conditional, Section
from automl.space.nodes import Decision, ValueSource
from automl.space.syntax import FAMILY_PARAM, show

__all__ = ["Size", "by_family", "decisions", "families", "grid", "instantiate", "params_of", "size", "trace"]


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
