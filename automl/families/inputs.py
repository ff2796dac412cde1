"""The columns that families take: learned vectors, native categories and missing numbers are not for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from automl.errors import Fault, SpaceError
from automl.families.base import Family
from automl.families.catalog import FAMILIES
from automl.families.problem import Problem
from automl.space import FAMILY_PARAM, Space
from automl.table import CODED, category_codes

__all__ = ["forbid_unsuitable_inputs", "prepared_problem"]

_ENCODE, _IMPUTE = "categorical.encode", "numeric.impute"
_LACKS = {"embed": "learns no vectors", "native": "takes no codes of categories"}


def prepared_problem(
    family: Family, problem: Problem, preprocess: Mapping[str, Any], column_types: Mapping[str, str]
) -> Problem:
    """Return the problem as a family sees it after the preprocessing.

    Raises
    ------
    SpaceError
        If the preprocessing leaves categories as codes, or numbers missing, and the family does not take them.
    """
    categories = category_codes(preprocess, column_types)
    encode = (preprocess.get("categorical") or {}).get("encode", "")
    if categories and encode not in family.category_codes:
        rule = f"must be an encoder for {family.name}, which {_LACKS[encode]}"
        known = (name for name, one in FAMILIES.items() if encode in one.category_codes)
        raise SpaceError(Fault(f"preprocess.{_ENCODE}", rule, encode, f"Use it with {', '.join(known)}."))
    if (preprocess.get("numeric") or {}).get("impute") == "none" and not family.takes_missing:
        rule = f"must name a value for {family.name}, which takes no missing numbers"
        known = (name for name, one in FAMILIES.items() if one.takes_missing)
        raise SpaceError(Fault(f"preprocess.{_IMPUTE}", rule, "none", f"Use it with {', '.join(known)}."))
    return replace(problem, categories=categories)


def forbid_unsuitable_inputs(space: Space) -> Space:
    """Return the space where no family meets codes of categories or missing numbers that it does not take."""
    known = {name: FAMILIES.get(name) for name in space.family_names}
    for encode in CODED:
        others = [name for name, one in known.items() if one is None or encode not in one.category_codes]
        space = _forbid(space, others, _ENCODE, encode)
    others = [name for name, one in known.items() if one is not None and not one.takes_missing]
    return _forbid(space, others, _IMPUTE, "none")


def _forbid(space: Space, families: list[str], key: str, value: str) -> Space:
    able = [name for name in families if _can_have(space, name, key, value)]
    return space.forbidding({FAMILY_PARAM: able, f"preprocess.{key}": [value]}) if able else space


def _can_have(space: Space, family: str, key: str, value: str) -> bool:
    """Return whether a family's preprocessing, its own or the shared one, can have a value."""
    own = f"{FAMILY_PARAM}.{family}.preprocess."
    refs = list(space.root.params())
    path = f"{own}{key}" if any(ref.path.startswith(own) for ref in refs) else f"preprocess.{key}"
    return any(ref.path == path and ref.contains(value) for ref in refs)
