"""From what was written, by the vocabulary, to the tree; every fault is gathered on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl.constraints import Constraint, OneOf, Section, Union, Variants
from automl.errors import Fault, nearest
from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range, canonical, join
from automl.space.ranges import read_range
from automl.space.raw import BROKEN, Faults, Raw, show
from automl.space.words import CHOICE_WORDS, NODE_WORDS, SYNONYMS
from automl.space.yaml_text import EXPONENT

__all__ = ["Checker", "Estimators"]

_MAX_CHOICES = 1000
_SEVERAL = {"values", "choice", "choices"}

Estimators = Callable[[str], Section]
"""From the path of a class to its parameters; for what is none, raises ValueError with the rule and a remedy."""


class Checker:
    """Checks a tree of `Raw` against a vocabulary and compiles it.

    Parameters
    ----------
    estimators : callable
        From the path of a class to the parameters a branch with ``estimator:`` may have.
    shared : Section
        What such a branch may hold besides.
    faults : Faults
        Where what is wrong is noted.
    """

    def __init__(self, estimators: Estimators, shared: Section, faults: Faults) -> None:
        self.estimators = estimators
        self.shared = shared
        self.faults = faults
        self.places: dict[tuple[str, str], Raw] = {}  # of values and kinds, by path and text
        self._seen: set[tuple[str, str, str]] = set()

    def fault(self, raw: Raw, path: str, rule: str, came: str, remedy: str = "") -> None:
        """Note a fault; one of a part used in several places is told once."""
        key = (str(raw.place) or path, rule, came)
        if key not in self._seen and raw.value is not BROKEN:
            self._seen.add(key)
            self.faults.add(Fault(raw.place.at(path), rule, came, remedy))

    def node(self, raw: Raw, rule: Constraint, path: str) -> Node | None:
        """Compile one key's value; None where it has a fault."""
        if isinstance(rule, Section):
            return self.section(raw, rule, path)
        variants = _variants(rule)
        if variants and (raw.is_mapping or raw.is_list):
            return self.variants(raw, variants, rule, path)
        if raw.is_list:
            return self.choices(raw, raw.value, None, rule, path)
        if raw.is_mapping and (NODE_WORDS & raw.value.keys() or not rule.accepts(raw.plain())):
            return self.words(raw, rule, path)
        return self.constant(raw, rule, path)

    def section(self, raw: Raw, rule: Section, path: str) -> Group | None:
        """Compile a mapping with known keys."""
        if not raw.is_mapping and not raw.is_empty:
            self.fault(raw, path, f"must be {rule.describe()}", show(raw))
            return None
        children = {}
        for key, item in (raw.value or {}).items():
            here = join(path, key)
            if not rule.parameters:
                self.fault(item, here, f"{path} must be empty: it has no parameters", key)
                continue
            if key not in rule.parameters:
                self.fault(
                    item,
                    here,
                    f"must be a key of {path or 'space'}",
                    key,
                    nearest(key, list(rule.parameters)),
                )
                continue
            child = self.node(item, rule.parameters[key].constraint, here)
            if child is not None:
                children[key] = child
        return Group(children)

    def variants(self, raw: Raw, rule: Variants, whole: Constraint, path: str) -> Node | None:
        """Compile kinds with parameters of their own: a list, a ``choice``, or a single kind."""
        if raw.is_mapping and raw.value.keys() == {"value"}:
            return self.node(raw.value["value"], whole, path)
        items, weights = raw, None
        if raw.is_mapping and not raw.value.keys() & _SEVERAL:
            if len(raw.value) != 1:
                self.fault(raw, path, "must name one kind, or several under `choice`", show(list(raw.value)))
                return None
            ((name, item),) = raw.value.items()
            if name not in rule.options and not (item.is_mapping and "estimator" in item.value):
                words = [*rule.options, "choice"]
                self.fault(item, path, "must name one of its kinds, or `choice`", name, nearest(name, words))
                return None
        elif raw.is_mapping:
            items, weights = self._several(raw, path)
        if items.value is BROKEN:
            return None
        if items.is_empty or items.value == []:
            self.fault(raw, path, "must have at least one choice", show(items))
            return None
        if items.is_list and not any(item.is_mapping for item in items.value):
            return self.choices(raw, items.value, weights, whole, path)
        branches = self._branches(items, path)
        groups: dict[str, Group] = {}
        for name, item in branches.items():
            group = self.branch(name, item, rule, path)
            if group is not None:
                groups[name] = group
        if len(groups) < len(branches) or not groups:
            return None
        return Branches(groups, self.weights(weights, list(groups), path))

    def branch(self, name: str, raw: Raw, rule: Variants, path: str) -> Group | None:
        """Compile one branch: a kind of the vocabulary, or any class by ``estimator``."""
        here = join(path, name)
        self.places[here, name] = self.places[path, name] = raw
        if raw.is_mapping and "estimator" in raw.value and name not in rule.options and path == "model":
            return self.estimator(raw, here)
        if name not in rule.options:
            self.fault(
                raw, here, f"must be one of the kinds of {path}", name, nearest(name, list(rule.options))
            )
            return None
        return self.section(raw, rule.options[name], here)

    def estimator(self, raw: Raw, path: str) -> Group | None:
        """Compile a branch that names a class."""
        given = raw.value["estimator"]
        try:
            if not isinstance(given.value, str):
                raise ValueError("must be the path of a class, such as sklearn.ensemble.ExtraTreesClassifier")
            parameters = self.estimators(given.value).parameters
            self.places[join(path, "estimator"), show(given.value)] = given
        except ValueError as error:
            rule, remedy = (*error.args, "")[:2]
            self.fault(given, join(path, "estimator"), rule, show(given), remedy)
            return None
        rest = Raw({key: item for key, item in raw.value.items() if key != "estimator"}, raw.place)
        group = self.section(rest, Section({**parameters, **self.shared.parameters}), path)
        return Group({"estimator": Constant(given.value), **group.children}) if group else None

    def choices(
        self, raw: Raw, items: list[Raw], weights: Raw | None, rule: Constraint, path: str
    ) -> Constant | Range | Choices | None:
        """Compile a list of values and ranges, any one of which may be taken."""
        if not items or len(items) > _MAX_CHOICES:
            bound = (
                "must have at least one choice"
                if not items
                else f"must have at most {_MAX_CHOICES:,} choices"
            )
            self.fault(raw, path, bound, show(raw) if not items else f"{len(items):,}")
            return None
        values = [item.plain() for item in items]
        if rule.accepts(values) and not any(item.is_list or rule.accepts(item.plain()) for item in items):
            came = show(values)
            self.fault(
                raw, path, "must be a list of values, here of lists", came, f"For one list write [{came}]."
            )
            return None
        options: dict[str, Constant | Range] = {}
        for item in items:
            ranged = item.is_mapping and not rule.accepts(item.plain())
            option = self.words(item, rule, path) if ranged else self.constant(item, rule, path)
            if isinstance(option, Choices):
                self.fault(item, path, "a choice must be a value or a range", show(item))
            elif isinstance(option, Range) and option.fidelity:
                self.fault(item, path, "a fidelity must stand alone", show(item))
            elif option is not None and canonical(option) in options:
                self.fault(item, path, "a choice must stand once", f"{show(item)} again")
            elif option is not None:
                options[canonical(option)] = option
        if len(options) < len(items):
            return None
        shares = self.weights(weights, [show(item) for item in items], path)
        found = tuple(options.values())
        return found[0] if len(found) == 1 else Choices(found, shares)

    def words(self, raw: Raw, rule: Constraint, path: str) -> Constant | Range | Choices | None:
        """Compile a mapping of the language's own words: a value, values, or a range."""
        keys = raw.value.keys()
        if "value" in keys:
            for other in [key for key in keys if key != "value"]:
                self.fault(raw.value[other], path, "`value` must stand alone", other)
            return self.constant(raw.value["value"], rule, path)
        if keys & _SEVERAL:
            items, weights = self._several(raw, path)
            if not items.is_list:
                self.fault(items, path, "must be a list of values", show(items))
                return None
            return self.choices(items, items.value, weights, rule, path)
        return read_range(raw, rule, path, self.fault)

    def constant(self, raw: Raw, rule: Constraint, path: str) -> Constant | None:
        """Compile one value."""
        value = raw.plain()
        if value is BROKEN:
            return None
        self.places[path, show(value)] = raw
        if not rule.accepts(value) and isinstance(value, str) and EXPONENT.fullmatch(value):
            value = float(value)
        if (
            isinstance(value, float)
            and value.is_integer()
            and not rule.accepts(value)
            and rule.accepts(int(value))
        ):
            value = int(value)
        if not rule.accepts(value):
            remedy = ""
            names = [name for name in _names(rule) if isinstance(name, str)]
            if isinstance(value, str) and names:
                remedy = nearest(value, names)
            elif rule.accepts([value]):
                remedy = f"For a list of one write [[{show(value)}]]."
            self.fault(raw, path, f"must be {rule.describe()}", show(value), remedy)
            return None
        return Constant(value)

    def weights(self, raw: Raw | None, names: list[str], path: str) -> tuple[float, ...] | None:
        """Return the weights in the order of the choices; None where all are equal."""
        if raw is None:
            return None
        given = raw.value
        if raw.is_mapping:
            for key in [key for key in given if key not in names]:
                self.fault(given[key], path, "a weight must be of a choice", key, nearest(key, names))
            given = [given.get(name, Raw(1)) for name in names]
        if not isinstance(given, list) or len(given) != len(names):
            self.fault(raw, path, f"`weights` must be {len(names)} numbers, one a choice", show(raw))
            return None
        values = [item.value for item in given]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < 1e6 for v in values):
            self.fault(raw, path, "a weight must be a number above 0 and below 1e6", show(values))
            return None
        return None if len(set(values)) == 1 else tuple(float(value) for value in values)

    def _several(self, raw: Raw, path: str) -> tuple[Raw, Raw | None]:
        """Split ``{values or choice: ..., weights: ...}``."""
        words = {SYNONYMS.get(key, key): item for key, item in raw.value.items()}
        for key in [key for key in words if key not in CHOICE_WORDS]:
            self.fault(words[key], path, "must be a word of a choice", key, nearest(key, CHOICE_WORDS))
        if "choice" in words and "values" in words:
            self.fault(words["values"], path, "`choice` and `values` must not stand together", "both")
        return words.get("choice") or words["values"], words.get("weights")

    def _branches(self, items: Raw, path: str) -> dict[str, Raw]:
        branches: dict[str, Raw] = items.value if items.is_mapping else {}
        if items.is_mapping:
            return branches
        if not items.is_list:
            return {show(items): Raw({}, items.place)}
        for item in items.value:
            named = item.value if item.is_mapping else {show(item): Raw({}, item.place)}
            if len(named) != 1 or named.keys() & branches.keys():
                self.fault(item, path, "must name each kind once", show(item))
            branches |= named
        return branches


def _variants(rule: Constraint) -> Variants | None:
    if isinstance(rule, Union):
        return next((option for option in rule.options if isinstance(option, Variants)), None)
    return rule if isinstance(rule, Variants) else None


def _names(rule: Constraint) -> list[Any]:
    match rule:
        case OneOf(values):
            return list(values)
        case Variants(options):
            return list(options)
        case Union(options):
            return [name for option in options for name in _names(option)]
        case _:
            return []
