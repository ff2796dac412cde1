"""The page of all families, parameters, rules and defaults, written from the tables that check them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from automl.constraints import Constraint, Section, Union, Variants
from automl.families.catalog import FAMILIES
from automl.table import PREPROCESS

__all__ = ["reference"]

_TASKS = ("binary", "multiclass", "regression")
_HEAD = """\
# Families and their parameters

This page lists every family of a space, with each parameter, its valid values and its default. It is generated from the
tables that check spaces and estimators. [The space language](spaces.md) explains how to search them.

A parameter of an option follows the option's name: `optimizer.adam.beta1` is written `optimizer: {adam: {beta1: 0.9}}`.
"""
_TABLE = "| parameter | valid values | default | meaning |\n|---|---|---|---|"


def reference() -> str:
    """Return the page `docs/families.md` in Markdown.

    Examples
    --------
    >>> "## decision_tree" in reference()
    True
    """
    parts = [_HEAD]
    for name, family in FAMILIES.items():
        by_task = {task: family.defaults(task) for task in _TASKS}
        defaults = {key: _by_task(by_task, key) for key in family.section.parameters}
        parts.append("\n".join([f"## {name}", "", _TABLE, *_rows(family.section, "", defaults)]) + "\n")
    parts.append("\n".join(["## preprocess", "", _TABLE, *_rows(PREPROCESS, "")]) + "\n")
    return "\n".join(parts)


def _rows(section: Section, path: str, defaults: Mapping[str, str] | None = None) -> Iterator[str]:
    for name, parameter in section.parameters.items():
        here = f"{path}{name}"
        inner = parameter.constraint
        if isinstance(inner, Section):
            yield from _rows(inner, f"{here}.")
            continue
        default = defaults[name] if defaults else _code(parameter.default)
        cells = (f"`{here}`", inner.describe(), default, _sentence(parameter.about))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        for kind, parameters in _kinds(inner).items():
            yield from _rows(parameters, f"{here}.{kind}.")


def _kinds(rule: Constraint) -> dict[str, Section]:
    options = rule.options if isinstance(rule, Union) else (rule,)
    return {
        kind: section
        for option in options
        if isinstance(option, Variants)
        for kind, section in option.options.items()
    }


def _by_task(defaults: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Return a default, and for which tasks it is where it is not for all."""
    tasks: dict[str, list[str]] = {}
    for task, values in defaults.items():
        if name in values:
            tasks.setdefault(_code(values[name]), []).append(task)
    if list(tasks.values()) == [list(defaults)]:
        return next(iter(tasks))
    return ", ".join(f"{value} ({_joined(of)})" for value, of in tasks.items())


def _joined(tasks: list[str]) -> str:
    return "classification" if tasks == ["binary", "multiclass"] else ", ".join(tasks)


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _sentence(text: str) -> str:
    """Return a remark as a sentence; the core writes its own without a capital and a full stop."""
    return text[:1].upper() + text[1:].removesuffix(".") + "." if text else ""
