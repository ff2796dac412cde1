"""The subset of JSON Schema that the space schema uses."""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def conforms(schema, value, root):
    """A plain reading of the part of JSON Schema that is written here."""
    if "$ref" in schema and not conforms(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root):
        return False
    if "anyOf" in schema and not any(conforms(option, value, root) for option in schema["anyOf"]):
        return False
    if "enum" in schema and not any(type(v) is type(value) and v == value for v in schema["enum"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if types and not any(isinstance(value, TYPES[t]) and not (t != "boolean" and value in (True, False) and
                         isinstance(value, bool)) for t in types):  # fmt: skip
        return False
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, int | float):
        return (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and not value <= schema.get("exclusiveMinimum", value - 1)
            and not value >= schema.get("exclusiveMaximum", value + 1)
        )
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            conforms(schema.get("items", {}), item, root) for item in value
        )
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        others = {"enum": []} if others is False else {} if others is True else others
        return (
            schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
            and all(key in value for key in schema.get("required", []))
            and all(conforms(known.get(key, others), item, root) for key, item in value.items())
        )
    return True
