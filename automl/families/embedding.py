"""Preprocessing that leaves categories to learned vectors, and the families that have such vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from automl.errors import Fault, SpaceError
from automl.families.base import Family, Problem
from automl.families.catalog import FAMILIES
from automl.space import FAMILY_PARAM, Space
from automl.table import category_codes

__all__ = ["forbid_embedding", "prepared_problem"]

_ENCODE = "categorical.encode"


def prepared_problem(
    family: Family, problem: Problem, preprocess: Mapping[str, Any], column_types: Mapping[str, str]
) -> Problem:
    """Return the problem as a family sees it after the preprocessing.

    Raises
    ------
    SpaceError
        If the preprocessing leaves categories to learned vectors and the family has none.
    """
    categories = category_codes(preprocess, column_types)
    if categories and not family.embeds:
        known = ", ".join(name for name, one in FAMILIES.items() if one.embeds)
        rule = f"must be an encoder for {family.name}, which learns no vectors"
        came = repr(preprocess["categorical"]["encode"])
        raise SpaceError(Fault(f"preprocess.{_ENCODE}", rule, came, f"Use it with {known}."))
    return replace(problem, categories=categories)


def forbid_embedding(space: Space) -> Space:
    """Return the space where no family without learned vectors meets an encoder that needs them."""
    if not space.offers(_ENCODE, "embed"):
        return space
    others = [name for name in space.family_names if name not in FAMILIES or not FAMILIES[name].embeds]
    if not others:
        return space
    return space.forbidding({FAMILY_PARAM: others, f"preprocess.{_ENCODE}": ["embed"]})
