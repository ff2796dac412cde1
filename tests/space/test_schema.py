"""The JSON Schema accepts valid spaces and refuses simple mistakes."""

from pathlib import Path

import pytest
import yaml

from automl.families import vocabulary as families_vocabulary
from automl.space import json_schema, shipped_folder, shipped_names
from tests.support.json_schema import conforms


@pytest.mark.parametrize("name", shipped_names())
def test_schema_accepts_shipped_spaces(name):
    schema = json_schema(families_vocabulary())
    document = yaml.safe_load((shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    assert conforms(schema, document, schema)


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
def test_schema_refuses_mistakes(name, vocabulary):
    schema = json_schema(vocabulary)
    text = (Path(__file__).parent / "faulty" / f"{name}.yaml").read_text(encoding="utf-8")
    assert not conforms(schema, yaml.safe_load(text), schema)


def test_schema_has_descriptions():
    schema = json_schema(families_vocabulary())
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["space"]["properties"]["model"]["description"] == "The model family."


def test_schema_has_limits(vocabulary, limits):
    schema = json_schema(vocabulary, limits)
    document = {"space": {"model": {"linear": {"l2": 0.1}}}}
    assert conforms(
        schema, {**document, "constraints": {"model_bytes": 1000, "predict_seconds": 0.5}}, schema
    )
    for wrong in ({"model_byte": 1}, {"model_bytes": 0}, {"model_bytes": "small"}, "small"):
        assert not conforms(schema, {**document, "constraints": wrong}, schema), wrong
