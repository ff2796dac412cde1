"""Random changes of skops schemas and of bytes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

__all__ = ["mutate_bytes", "mutate_schema"]


def _nodes(schema: Any) -> list[Any]:
    """Return every mapping and list of a schema."""
    found, rest = [], [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, dict | list):
            found.append(node)
            rest += node.values() if isinstance(node, dict) else node
    return found


def mutate_schema(schema: Any, rng: np.random.Generator) -> None:
    """Drop, replace, copy or swap parts of a schema."""
    names = ["numpy.memmap", "builtins.eval", "automl.search.Search", "sklearn.svm._classes.SVC"]
    for _ in range(rng.integers(1, 4)):
        places = [node for node in _nodes(schema) if node]
        place, other = places[rng.integers(len(places))], places[rng.integers(len(places))]
        key = rng.choice(list(place)) if isinstance(place, dict) else int(rng.integers(len(place)))
        match rng.integers(5):
            case 0:
                del place[key]
            case 1:
                values = [None, 0, -1, "", "x", [], {}, 1e300, True, "9" * 50]
                place[key] = values[rng.integers(len(values))]
            case 2:
                place[key] = copy.deepcopy(other)
            case 3 if isinstance(place, dict):
                name = str(rng.choice(names))
                place["__module__"], _, place["__class__"] = name.rpartition(".")
            case _ if isinstance(place, dict):
                loaders = [
                    "ObjectNode",
                    "ListNode",
                    "DictNode",
                    "TypeNode",
                    "FunctionNode",
                    "JsonNode",
                    "TupleNode",
                ]
                place["__loader__"] = str(rng.choice([*loaders, "NdArrayNode", "MethodNode", "CachedNode"]))


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace a few short parts of a file by others of other lengths."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(len(changed) + 1)), int(rng.integers(1, 20))
        changed[at : at + length] = rng.bytes(int(rng.integers(0, 20)))
    return bytes(changed)
