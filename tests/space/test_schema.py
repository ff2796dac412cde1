"""The JSON Schema accepts valid spaces and refuses simple mistakes, by the validator that editors' checks follow."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from automl.families import vocabulary as families_vocabulary
from automl.space import json_schema, shipped_folder, shipped_names

FAULTY = Path(__file__).parent / "faulty"


def conforms(schema, document):
    return Draft202012Validator(schema).is_valid(document)


@pytest.fixture(scope="module")
def schema():
    return json_schema(families_vocabulary())


def test_schema_is_valid(schema):
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", shipped_names())
def test_schema_accepts_shipped_spaces(name, schema):
    document = yaml.safe_load((shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    assert conforms(schema, document)


PLAIN_MISTAKES = [
    "choices_that_are_empty",
    "misspelt_encoder",
    "misspelt_family",
    "misspelt_loss",
    "misspelt_optimizer",
    "misspelt_optimizer_branch",
    "misspelt_schedule",
    "range_of_text",
    "range_without_high",
    "two_kinds_without_choice",
    "unknown_section",
    "weight_of_zero",
    "wrong_type_of_a_flag",
    "wrong_type_of_a_section",
    "parameter_of_another_family",
    "range_with_unknown_word",
    "task_unknown",
    "unknown_key_of_the_file",
    "unknown_parameter",
    "value_outside_the_rule",
    "version_unknown",
    "wrong_type_of_a_number",
    "positive_class_that_is_no_label",
]


@pytest.mark.parametrize("name", PLAIN_MISTAKES)
def test_schema_refuses_mistakes(name, vocabulary):
    schema = json_schema(vocabulary)
    text = (FAULTY / f"{name}.yaml").read_text(encoding="utf-8")
    assert not conforms(schema, yaml.safe_load(text))


def test_schema_has_descriptions(schema):
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["space"]["properties"]["model"]["description"] == "The model family."


def test_schema_has_limits(vocabulary, limits):
    schema = json_schema(vocabulary, limits)
    document = {"space": {"model": {"linear": {"l2": 0.1}}}}
    assert conforms(schema, {**document, "constraints": {"model_bytes": 1000, "predict_seconds": 0.5}})
    for wrong in ({"model_byte": 1}, {"model_bytes": 0}, {"model_bytes": "small"}, "small"):
        assert not conforms(schema, {**document, "constraints": wrong}), wrong


def test_schema_offers_ready_made_branches_and_spaces_that_ship(schema):
    assert set(schema["properties"]["include"]["anyOf"][0]["enum"]) == set(shipped_names())
    use = schema["properties"]["space"]["properties"]["use"]
    names = schema["$defs"][use["$ref"].removeprefix("#/$defs/")]["anyOf"][0]["enum"]
    for name in names:
        document = {"include": "quick", "space": {"model": {"choice": {"mine": {"use": name}}}}}
        assert conforms(schema, document)
    assert "sklearn.knn" in names
    assert conforms(schema, {"include": ["quick", "mine.yaml"], "space": {"model": {"use": "my_part"}}})


def test_schema_describes_all_keys_of_a_space(schema):
    keys = schema["properties"]
    assert all(key.get("description") for key in keys.values())
    model = keys["space"]["properties"]["model"]
    assert all(
        "title" in option
        for option in model["anyOf"]
        if option.get("type") == "object" and "choice" in option
    )
