"""Compiles a source into a tree by the vocabulary, and reports every fault on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from automl.constraints import Constraint, OneOf, Union, Variants
from automl.constraints import Section as KnownKeys
from automl.errors import nearest
from automl.space.compile_range import compile_range
from automl.space.containers import Conditional, Section
from automl.space.leaves import Categorical, Constant, Range
from automl.space.nodes import Leaf, Node
from automl.space.source import BROKEN, Reporter, SourceNode
from automl.space.syntax import (
    CHOICE_KEYWORDS,
    EXPONENT,
    FAMILY_PARAM,
    NODE_KEYWORDS,
    REPLACE,
    SYNONYMS,
    join,
    show,
)

__all__ = ["Compiler", "Estimators"]

_MAX_CHOICES = 1000
_MULTIPLE = {"values", "choice", "choices"}

Estimators = Callable[[str], KnownKeys]
"""From the path of a class to its parameters; raises ValueError with a rule and perhaps a remedy."""


class Compiler:
    """Checks a source against a vocabulary and compiles it.

    Parameters
    ----------
    estimators : callable
        From the path of a class to the parameters that a branch with ``estimator:`` may have.
    shared : constraints.Section
        Other keys that such a branch may have.
    reporter : Reporter
        Gets the faults.
    hint : callable
        From the name of an unknown branch to a remedy, perhaps empty.

    Attributes
    ----------
    sources : dict
        Sources of values and branches, by path and text.
    """

    def __init__(
        self,
        estimators: Estimators,
        shared: KnownKeys,
        reporter: Reporter,
        hint: Callable[[str], str] = lambda name: "",
    ) -> None:
        self.estimators, self.shared, self.reporter, self.hint = estimators, shared, reporter, hint
        self.sources: dict[tuple[str, str], SourceNode] = {}

    def node(self, source: SourceNode, rule: Constraint, path: str) -> Node | None:
        """Compile the value of a key; None where it has a fault."""
        if isinstance(rule, KnownKeys):
            return self.section(source, rule, path)
        variants = _variants(rule)
        if variants and (source.is_mapping or source.is_list):
            return self.variants(source, variants, rule, path)
        if source.is_list:
            return self.choices(source, source.value, None, rule, path)
        if source.is_mapping and (NODE_KEYWORDS & source.value.keys() or not rule.accepts(source.plain())):
            return self.keywords(source, rule, path)
        return self.constant(source, rule, path)

    def section(self, source: SourceNode, rule: KnownKeys, path: str) -> Section | None:
        """Compile a mapping with known keys."""
        if not source.is_mapping and not source.is_empty:
            self.reporter.report(source, path, f"must be {rule.describe()}", str(source))
            return None
        children: dict[str, Node] = {}
        for key, item in (source.value or {}).items():
            here = join(path, key)
            if key in rule.parameters:
                child = self.node(item, rule.parameters[key].constraint, here)
                children |= {} if child is None else {key: child}
            elif rule.parameters:
                remedy = nearest(key, list(rule.parameters))
                self.reporter.report(item, here, f"must be a key of {path or 'space'}", key, remedy)
            else:
                self.reporter.report(item, here, f"{path} must be empty: it has no parameters", key)
        return Section(children)

    def variants(self, source: SourceNode, rule: Variants, whole: Constraint, path: str) -> Node | None:
        """Compile kinds with parameters of their own: a list, a ``choice``, or a single kind."""
        if source.is_mapping and source.value.keys() == {"value"}:
            return self.node(source.value["value"], whole, path)
        items, weights = source, None
        if source.is_mapping and not source.value.keys() & _MULTIPLE:
            if len(source.value) != 1:
                came = show(list(source.value))
                self.reporter.report(source, path, "must name one kind, or several under `choice`", came)
                return None
            ((name, item),) = source.value.items()
            if name not in rule.options and not (item.is_mapping and "estimator" in item.value):
                hint = self.hint(name) if path == FAMILY_PARAM else ""
                remedy = hint or nearest(name, [*rule.options, "choice"])
                self.reporter.report(item, path, "must name one of its kinds, or `choice`", name, remedy)
                return None
        elif source.is_mapping:
            items, weights = self._options(source, path)
        if items.value is BROKEN:
            return None
        if items.is_empty or items.value == []:
            self.reporter.report(source, path, "must have at least one choice", str(items))
            return None
        if items.is_list and not any(item.is_mapping for item in items.value):
            return self.choices(source, items.value, weights, whole, path)
        sources = self._branches(items, path)
        branches: dict[str, Section] = {}
        for name, item in sources.items():
            branch = self.branch(name, item, rule, path)
            branches |= {} if branch is None else {name: branch}
        if len(branches) < len(sources) or not branches:
            return None
        return Conditional(branches, self.weights(weights, list(branches), path))

    def branch(self, name: str, source: SourceNode, rule: Variants, path: str) -> Section | None:
        """Compile one branch: a kind of the vocabulary, or a class by ``estimator``."""
        here = join(path, name)
        self.sources[here, name] = self.sources[path, name] = source
        if name in rule.options:
            return self.section(source, rule.options[name], here)
        if source.is_mapping and "estimator" in source.value and path == FAMILY_PARAM:
            return self.estimator(source, here)
        remedy = (self.hint(name) if path == FAMILY_PARAM else "") or nearest(name, list(rule.options))
        self.reporter.report(source, here, f"must be one of the kinds of {path}", name, remedy)
        return None

    def estimator(self, source: SourceNode, path: str) -> Section | None:
        """Compile a branch that names a class."""
        given = source.value["estimator"]
        try:
            if not isinstance(given.value, str):
                raise ValueError("must be the path of a class, such as sklearn.ensemble.ExtraTreesClassifier")
            parameters = self.estimators(given.value).parameters
            self.sources[join(path, "estimator"), str(given)] = given
        except ValueError as error:
            rule, remedy = (*error.args, "")[:2]
            self.reporter.report(given, join(path, "estimator"), rule, str(given), remedy)
            return None
        rest = source.with_value({key: item for key, item in source.value.items() if key != "estimator"})
        section = self.section(rest, KnownKeys({**parameters, **self.shared.parameters}), path)
        return Section({"estimator": Constant(given.value), **section.children}) if section else None

    def choices(
        self,
        source: SourceNode,
        items: list[SourceNode],
        weights: SourceNode | None,
        rule: Constraint,
        path: str,
    ) -> Leaf | None:
        """Compile a list of alternative values and ranges."""
        if not items:
            self.reporter.report(source, path, "must have at least one choice", str(source))
            return None
        if len(items) > _MAX_CHOICES:
            rule_text = f"must have at most {_MAX_CHOICES:,} choices"
            self.reporter.report(source, path, rule_text, f"{len(items):,}")
            return None
        values = [item.plain() for item in items]
        if rule.accepts(values) and not any(item.is_list or rule.accepts(item.plain()) for item in items):
            came = show(values)
            remedy = f"For one list write [{came}]."
            self.reporter.report(source, path, "must be a list of values, here of lists", came, remedy)
            return None
        options: dict[str, Leaf] = {}
        for item in items:
            ranged = item.is_mapping and not rule.accepts(item.plain())
            option = self.keywords(item, rule, path) if ranged else self.constant(item, rule, path)
            if isinstance(option, Categorical):
                self.reporter.report(item, path, "a choice must be a value or a range", str(item))
            elif isinstance(option, Range) and option.fidelity:
                self.reporter.report(item, path, "a fidelity must not be one of several choices", str(item))
            elif option is not None and option.canonical() in options:
                self.reporter.report(item, path, "a choice must occur once", f"{item} again")
            elif option is not None:
                options[option.canonical()] = option
        if len(options) < len(items):
            return None
        shares = self.weights(weights, [str(item) for item in items], path)
        found = tuple(options.values())
        return found[0] if len(found) == 1 else Categorical(found, shares)

    def keywords(self, source: SourceNode, rule: Constraint, path: str) -> Leaf | None:
        """Compile a mapping of the language's keywords: a value, values, or a range."""
        keys = source.value.keys()
        if "value" in keys:
            for other in [key for key in keys if key != "value"]:
                self.reporter.report(source.value[other], path, "`value` must be the only key", other)
            return self.constant(source.value["value"], rule, path)
        if keys & _MULTIPLE:
            items, weights = self._options(source, path)
            if not items.is_list:
                self.reporter.report(items, path, "must be a list of values", str(items))
                return None
            return self.choices(items, items.value, weights, rule, path)
        return compile_range(source, rule, path, self.reporter)

    def constant(self, source: SourceNode, rule: Constraint, path: str) -> Constant | None:
        """Compile one value."""
        value = source.plain()
        if value is BROKEN:
            return None
        self.sources[path, show(value)] = source
        if rule.accepts(value):
            return Constant(value)
        if isinstance(value, str) and EXPONENT.fullmatch(value) and math.isfinite(float(value)):
            value = float(value)
        if isinstance(value, float) and value.is_integer() and not rule.accepts(value):
            value = int(value) if rule.accepts(int(value)) else value
        if rule.accepts(value):
            return Constant(value)
        remedy = ""
        names = [name for name in _names(rule) if isinstance(name, str)]
        if isinstance(value, str) and names:
            remedy = nearest(value, names)
        elif rule.accepts([value]):
            remedy = f"For a list of one write [[{show(value)}]]."
        self.reporter.report(source, path, f"must be {rule.describe()}", show(value), remedy)
        return None

    def weights(self, source: SourceNode | None, names: list[str], path: str) -> tuple[float, ...] | None:
        """Return the weights in the order of the choices; None where all are equal."""
        if source is None:
            return None
        given = source.value
        if source.is_mapping:
            for key in [key for key in given if key not in names]:
                remedy = nearest(key, names)
                self.reporter.report(given[key], path, "a weight must be of a choice", key, remedy)
            given = [given.get(name, SourceNode(1)) for name in names]
        if not isinstance(given, list) or len(given) != len(names):
            rule = f"`weights` must be {len(names)} numbers, one for each choice"
            self.reporter.report(source, path, rule, str(source))
            return None
        values = [item.value for item in given]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < 1e6 for v in values):
            rule = "a weight must be a number above 0 and below 1e6"
            self.reporter.report(source, path, rule, show([item.plain() for item in given]))
            return None
        return None if len(set(values)) == 1 else tuple(float(value) for value in values)

    def _options(self, source: SourceNode, path: str) -> tuple[SourceNode, SourceNode | None]:
        """Split ``{values or choice: ..., weights: ...}``."""
        words = {SYNONYMS.get(key, key): item for key, item in source.value.items() if key != REPLACE}
        if REPLACE in source.value and not isinstance(source.value[REPLACE].value, bool):
            came = str(source.value[REPLACE])
            self.reporter.report(source.value[REPLACE], path, "`replace` must be true or false", came)
        for key in [key for key in words if key not in CHOICE_KEYWORDS]:
            remedy = nearest(key, CHOICE_KEYWORDS)
            self.reporter.report(words[key], path, "must be a keyword of a choice", key, remedy)
        if "choice" in words and "values" in words:
            rule = "`choice` and `values` must not be used together"
            self.reporter.report(words["values"], path, rule, "both")
        return words.get("choice") or words["values"], words.get("weights")

    def _branches(self, items: SourceNode, path: str) -> dict[str, SourceNode]:
        if items.is_mapping:
            return dict(items.value)
        branches: dict[str, SourceNode] = {}
        for item in items.items:
            branch = item.value if item.is_mapping else {str(item): item.with_value({})}
            if len(branch) != 1 or branch.keys() & branches.keys():
                self.reporter.report(item, path, "must name each kind once", str(item))
            branches |= branch
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
