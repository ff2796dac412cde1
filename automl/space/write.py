"""A space as the language writes it: plain values, and YAML."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range
from automl.space.yaml_text import EXPONENT

__all__ = ["plain", "to_yaml"]


def plain(node: Node) -> Any:
    """Return a node as plain values of the language, with every part written out where it is used."""
    match node:
        case Constant(value):
            return {"value": deepcopy(value)} if isinstance(value, list | dict) else value
        case Range():
            # Whether whole ends make it whole depends on the parameter; said outright, nobody need ask.
            words: dict[str, Any] = {"low": node.low, "high": node.high}
            words |= {"log": True} if node.log else {}
            words |= {"step": node.step} if node.step else {}
            words |= {"integer": True} if node.integer else {}
            return words | ({"fidelity": True} if node.fidelity else {})
        case Choices(options, weights):
            values = [_option(option) for option in options]
            return {"values": values, "weights": list(weights)} if weights else values
        case Branches(branches, weights):
            choice = {name: plain(branch) for name, branch in branches.items()}
            return (
                {"choice": choice, "weights": dict(zip(branches, weights, strict=True))}
                if weights
                else {"choice": choice}
            )
        case Group(children):
            return {key: plain(child) for key, child in children.items()}


def _option(node: Constant | Range) -> Any:
    return deepcopy(node.value) if isinstance(node, Constant) else plain(node)


class _Dumper(yaml.SafeDumper):
    """Quotes text that this language would read as a number, and writes short things in one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def to_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML that `load_space` reads back to an equal space."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    return text
