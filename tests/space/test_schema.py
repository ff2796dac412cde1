"""The JSON Schema that editors complete by: it takes what the loader takes, and refuses plain mistakes."""

import re
from pathlib import Path

import pytest
import yaml

from automl.families import vocabulary as families_vocabulary
from automl.space import json_schema, shipped_folder, shipped_names

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def keeps(schema, value, root):
    """A plain reading of the part of JSON Schema that is written here."""
    if "$ref" in schema and not keeps(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root):
        return False
    if "anyOf" in schema and not any(keeps(option, value, root) for option in schema["anyOf"]):
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
            keeps(schema.get("items", {}), item, root) for item in value
        )
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        others = {"enum": []} if others is False else {} if others is True else others
        return (
            schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
            and all(key in value for key in schema.get("required", []))
            and all(keeps(known.get(key, others), item, root) for key, item in value.items())
        )
    return True


@pytest.mark.parametrize("name", shipped_names())
def test_the_schema_takes_every_space_that_ships(name):
    schema = json_schema(families_vocabulary())
    document = yaml.safe_load((shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    assert keeps(schema, document, schema)


PLAIN_MISTAKES = [
    "choices_that_are_empty",
    "misspelt_encoder",
    "misspelt_family",
    "misspelt_loss",
    "misspelt_optimizer",
    "misspelt_schedule",
    "parameter_of_another_family",
    "range_with_unknown_word",
    "task_unknown",
    "unknown_key_of_the_file",
    "unknown_parameter",
    "value_outside_the_rule",
    "version_unknown",
    "wrong_type_of_a_number",
]


@pytest.mark.parametrize("name", PLAIN_MISTAKES)
def test_the_schema_refuses_plain_mistakes(name, vocabulary):
    schema = json_schema(vocabulary)
    text = (Path(__file__).parent / "faulty" / f"{name}.yaml").read_text(encoding="utf-8")
    assert not keeps(schema, yaml.safe_load(text), schema)


def test_parameters_carry_their_remarks_into_the_editor():
    schema = json_schema(families_vocabulary())
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["space"]["properties"]["model"]["description"] == "The model family."


def test_the_schema_knows_the_limits(vocabulary, limits):
    schema = json_schema(vocabulary, limits)
    document = {"space": {"model": {"linear": {"l2": 0.1}}}}
    assert keeps(schema, {**document, "constraints": {"model_bytes": 1000, "predict_seconds": 0.5}}, schema)
    for wrong in ({"model_byte": 1}, {"model_bytes": 0}, {"model_bytes": "small"}, "small"):
        assert not keeps(schema, {**document, "constraints": wrong}, schema), wrong
