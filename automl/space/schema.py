"""The language as a JSON Schema, for completion and checks in editors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from automl.constraints import (
    Boolean,
    Constraint,
    ListOf,
    Number,
    OneOf,
    Parameter,
    Section,
    Text,
    Union,
    Variants,
)
from automl.space.files import ReadyMade, shipped_names
from automl.space.syntax import EXPONENT, FAMILY_PARAM, TASKS, VERSION

__all__ = ["json_schema"]

Schema = dict[str, Any]

_NUMBER: Schema = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{EXPONENT.pattern}$"}]}
_WEIGHTS: Schema = {
    "description": "The prior weight of each choice, in the same order or by name.",
    "anyOf": [
        {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}},
        {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
    ],
}
_FLAG: Schema = {"type": "boolean"}
_REPLACE: Schema = {**_FLAG, "description": "Drop the branches of the included file."}
_ENDS: Schema = {
    "log": {**_FLAG, "description": "Equal ratios are equally likely."},
    "step": {**_NUMBER, "description": "Distance between the values."},
    "integer": {**_FLAG, "description": "Only whole numbers."},
    "fidelity": {
        **_FLAG,
        "description": "The training length: a trial gets `high`, and may be pruned from `low` on.",
    },
}


def json_schema(vocabulary: Section, limits: Section | None = None) -> Schema:
    """Return a JSON Schema (draft 2020-12) of the files that `load_space` reads.

    A schema has no arithmetic and cannot resolve names, so `load_space` checks more.

    Parameters
    ----------
    vocabulary : Section
        The keys and their rules.
    limits : Section, optional
        The limits that ``constraints`` may set; none by default.
    """
    return _Writer().document(vocabulary, limits or Section({}))


class _Writer:
    """Writes each repeated schema once, under ``$defs``."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.defs: dict[str, Schema] = {}
        parts = self.shared(_names(ReadyMade().parts))
        self.use: Schema = {**parts, "description": "A definition of this file, or a ready-made branch."}
        self.only_use: Schema = {
            "title": "definition",
            "type": "object",
            "properties": {"use": self.use},
            "required": ["use"],
        }

    def document(self, vocabulary: Section, limits: Section) -> Schema:
        keys = {key: self.parameter(rule) for key, rule in vocabulary.parameters.items()}
        model = vocabulary.parameters.get(FAMILY_PARAM)
        if model is not None and isinstance(model.constraint, Variants):
            shared = {key: schema for key, schema in keys.items() if key != FAMILY_PARAM}
            path = {"type": "string", "description": "Path of a class, such as sklearn.svm.SVC."}
            estimator = {
                "title": "class",
                "type": "object",
                "properties": {"estimator": path, **shared},
                "required": ["estimator"],
            }
            others = {"anyOf": [estimator, self.only_use]}
            keys[FAMILY_PARAM] = {**self.variants(model.constraint, others), "description": model.about}
        rules = {"type": "array", "items": {"type": "object", "minProperties": 1}}
        properties = {
            "version": {"const": VERSION, "description": "The version of the language."},
            "name": {"type": "string", "description": "The name of the space."},
            "about": {"type": "string", "description": "One line about the space."},
            "task": {
                "anyOf": [{"enum": list(TASKS)}, {"type": "array", "items": {"enum": list(TASKS)}}],
                "description": "The tasks that the space is for; all by default.",
            },
            "include": {
                **_names(shipped_names()),
                "description": "Spaces that ship or files to include; this file wins over them.",
            },
            "define": {"type": "object", "description": "Named parts; `use` inserts them."},
            "space": {**self.mapping(keys), "description": "The families and parameters to search."},
            "forbid": {**rules, "description": "Combinations that must not be tried."},
            "enqueue": {**rules, "description": "Initial points, tried first."},
            "constraints": {
                "type": "object",
                "properties": {
                    name: {**_value(rule.constraint), "description": rule.about}
                    for name, rule in limits.parameters.items()
                },
                "additionalProperties": False,
                "description": "Limits on the results of a trial.",
            },
            "columns": {
                "type": "object",
                "additionalProperties": {"enum": ["numeric", "categorical", "datetime", "text", "drop"]},
                "description": "Types of columns of the table by name; others follow from their values.",
            },
            "positive_class": {
                "type": ["string", "number", "boolean"],
                "description": "The positive class of two; by default the second one in sorted order.",
            },
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "automl search space",
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "$defs": self.defs,
        }

    def shared(self, schema: Schema) -> Schema:
        text = json.dumps(schema, sort_keys=True)
        name = self.names.setdefault(text, f"part{len(self.names) + 1}")
        self.defs[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def parameter(self, parameter: Parameter) -> Schema:
        schema = self.node(parameter.constraint)
        return {**schema, "description": parameter.about} if parameter.about else schema

    def node(self, rule: Constraint) -> Schema:
        if isinstance(rule, Section):
            return self.section(rule)
        options = rule.options if isinstance(rule, Union) else (rule,)
        variants = next((option for option in options if isinstance(option, Variants)), None)
        return self.leaf(rule) if variants is None else self.shared(self.variants(variants))

    def leaf(self, rule: Constraint) -> Schema:
        value = self.shared(_value(rule))
        ranges = [self.range("low", "high"), self.range("min", "max")]
        several = {"type": "array", "items": {"anyOf": [value, *ranges]}, "minItems": 1}
        one = {"title": "value", "type": "object", "properties": {"value": value}, "required": ["value"]}
        words = {
            "title": "weighted values",
            "type": "object",
            "properties": {"values": several, "weights": _WEIGHTS},
            "required": ["values"],
        }
        return self.shared({"anyOf": [value, several, *ranges, one, words, self.only_use]})

    def range(self, low: str, high: str) -> Schema:
        ends = {low: _NUMBER, high: _NUMBER, **_ENDS}
        found = {"type": "object", "properties": ends, "required": [low, high], "additionalProperties": False}
        return self.shared({"title": f"range from {low} to {high}", **found})

    def section(self, rule: Section) -> Schema:
        return self.shared(self.mapping({key: self.parameter(item) for key, item in rule.parameters.items()}))

    def mapping(self, keys: Schema) -> Schema:
        return {
            "type": ["object", "null"],
            "properties": {**keys, "use": self.use},
            "additionalProperties": False,
        }

    def variants(self, rule: Variants, others: Schema | bool = False) -> Schema:
        kinds = {name: self.section(section) for name, section in rule.options.items()}
        names = {"enum": list(kinds)}
        choice: Schema = {
            "type": "object",
            "properties": {**kinds, "use": self.use},
            "minProperties": 1,
            "additionalProperties": others,
        }
        one: Schema = {
            "type": "object",
            "properties": kinds,
            "maxProperties": 1,
            "additionalProperties": others,
        }
        words = {
            "title": "choice",
            "type": "object",
            "properties": {"choice": choice, "weights": _WEIGHTS, "replace": _REPLACE},
            "required": ["choice"],
        }
        several = {"type": "array", "items": {"anyOf": [names, one]}, "minItems": 1}
        return {"anyOf": [names, several, words, one, self.only_use]}


def _names(known: Iterable[str]) -> Schema:
    """Return the schema of one name or several; editors suggest known names, and any name is valid."""
    name: Schema = {"anyOf": [{"enum": sorted(known)}, {"type": "string"}]}
    return {"anyOf": [*name["anyOf"], {"type": "array", "items": name}]}


def _value(rule: Constraint) -> Schema:
    match rule:
        case Number():
            schema: Schema = {"type": "integer" if rule.integer else "number"}
            if math.isfinite(rule.low):
                schema["exclusiveMinimum" if rule.open_low else "minimum"] = rule.low
            if math.isfinite(rule.high):
                schema["exclusiveMaximum" if rule.open_high else "maximum"] = rule.high
            return schema
        case Boolean():
            return {"type": "boolean"}
        case Text():
            return {"type": "string", "minLength": 1}
        case OneOf(values):
            return {"enum": list(values)}
        case ListOf(item, least):
            return {"type": "array", "items": _value(item), "minItems": least}
        case Union(options):
            return {"anyOf": [_value(option) for option in options]}
        case _:
            return {}
